// Rows of jobs: one attempt series to turn one original into one visible version.
import type { Database } from '../database.ts'
import type { DocumentState } from './documents.ts'

export interface JobRow {
  id: string
  document_id: string
  /** Who asked for it; turns are shared fairly between users. */
  user_id: string
  original: string
  /** The file name, a hint for the extraction. */
  name: string
  state: DocumentState
  /** Starts since the last one that got anywhere. */
  attempts: number
  done: number
  total: number | null
  /** The text it made, once known. */
  version: string | null
  /** 1 from just before its passages are shown: from then on it can only be finished. */
  publishing: 0 | 1
  /** JSON `{ code, message }`. */
  failure: string | null
  created_at: number
  updated_at: number
}

/** Finished jobs remembered per document. */
const FINISHED_MAX = 20
export const unfinished = `state IN ('queued', 'extracting', 'embedding')`

export function jobTable(database: Database) {
  return {
    insert(row: Pick<JobRow, 'id' | 'document_id' | 'user_id' | 'original' | 'name'>) {
      database.run(
        `INSERT INTO jobs (id, document_id, user_id, original, name, state, created_at, updated_at)
         VALUES (:id, :document_id, :user_id, :original, :name, 'queued', :now, :now)`,
        { ...row, now: Date.now() },
      )
      database.run(
        `DELETE FROM jobs WHERE document_id = :document AND NOT ${unfinished} AND id NOT IN
           (SELECT id FROM jobs WHERE document_id = :document ORDER BY id DESC LIMIT :kept)`,
        { document: row.document_id, kept: FINISHED_MAX },
      )
    },

    byId: (id: string) => database.one<JobRow>('SELECT * FROM jobs WHERE id = :id', { id }),

    unfinishedOf: (document: string) =>
      database.all<JobRow>(`SELECT * FROM jobs WHERE document_id = :document AND ${unfinished}`, { document }),

    /** Everything not finished, oldest first. */
    unfinished: () =>
      database.all<Pick<JobRow, 'id' | 'document_id' | 'user_id'>>(
        `SELECT id, document_id, user_id FROM jobs WHERE ${unfinished} ORDER BY id`,
      ),

    start: (id: string) =>
      database.run(
        `UPDATE jobs SET state = 'extracting', attempts = attempts + 1, done = 0, total = NULL, updated_at = :now WHERE id = :id`,
        { id, now: Date.now() },
      ),

    /** It got somewhere, or was stopped by us: the attempts made so far are forgotten. */
    forgive: (id: string) => database.run('UPDATE jobs SET attempts = 0 WHERE id = :id', { id }),

    advance: (row: Pick<JobRow, 'id' | 'state' | 'done' | 'total' | 'failure'>) =>
      database.run(
        'UPDATE jobs SET state = :state, done = :done, total = :total, failure = :failure, updated_at = :now WHERE id = :id',
        {
          ...row,
          now: Date.now(),
        },
      ),

    /** It made this text; its passages may be appended from now on. */
    made: (id: string, version: string) => database.run('UPDATE jobs SET version = :version WHERE id = :id', { id, version }),

    /** It is given up: nothing of what it made is needed. */
    unmake: (id: string) => database.run('UPDATE jobs SET version = NULL WHERE id = :id', { id }),

    publish: (id: string) => database.run('UPDATE jobs SET publishing = 1 WHERE id = :id', { id }),

    /** What was to be shown is not all there: it is made again first. */
    unpublish: (id: string) => database.run('UPDATE jobs SET publishing = 0 WHERE id = :id', { id }),

    /** Versions being made in a collection. */
    making: (collection: string) =>
      database.all<{ document_id: string; version: string }>(
        `SELECT j.document_id, j.version FROM jobs j CROSS JOIN documents d ON d.id = j.document_id
         WHERE d.collection_id = :collection AND j.version IS NOT NULL AND j.${unfinished}`,
        { collection },
      ),

    countOf: (document: string) =>
      database.one<{ n: number }>('SELECT count(*) AS n FROM jobs WHERE document_id = :document', { document })?.n ?? 0,
  }
}
