// Rows of what each document holds: the originals on disk for it, from the moment it is accepted until their files are gone. Two documents of
// a collection can hold the same one; its file goes with the last of them.
import type { Database } from '../database.ts'
import { unfinished } from './jobs.ts'

interface HoldingRow {
  document_id: string
  /** SHA-256 of the bytes. */
  original: string
  collection_id: string
  bytes: number
}

/** Is it that of the document itself, of a version that can be read, or of a job that is not finished? */
const NEEDED = `(
  EXISTS (SELECT 1 FROM documents d WHERE d.id = h.document_id AND d.original = h.original)
  OR EXISTS (SELECT 1 FROM versions v WHERE v.document_id = h.document_id AND v.original = h.original AND v.state <> 'gone')
  OR EXISTS (SELECT 1 FROM jobs j WHERE j.document_id = h.document_id AND j.original = h.original AND j.${unfinished}))`

export function holdingTable(database: Database) {
  const names = (sql: string, values: Record<string, string>) =>
    database.all<{ original: string }>(sql, values).map(({ original }) => original)
  return {
    hold: (row: HoldingRow) =>
      database.run('INSERT OR IGNORE INTO holdings VALUES (:document_id, :original, :collection_id, :bytes)', { ...row }),

    /** Everything a document holds, being erased or not. */
    of: (document: string) => names('SELECT original FROM holdings WHERE document_id = :document', { document }),

    /** What a document holds and does not need any more. */
    spare: (document: string) =>
      names(`SELECT original FROM holdings h WHERE document_id = :document AND NOT ${NEEDED}`, { document }),

    /** What the documents of a collection hold and need. */
    needed: (collection: string) =>
      names(`SELECT original FROM holdings h WHERE collection_id = :collection AND ${NEEDED}`, { collection }),

    /** Does any document of the collection hold it, other than `except`? */
    isHeld: (collection: string, original: string, except = '') =>
      database.one(
        'SELECT 1 FROM holdings WHERE collection_id = :collection AND original = :original AND document_id <> :except LIMIT 1',
        { collection, original, except },
      ) !== undefined,

    /** The files are gone. */
    letGo(document: string, originals: readonly string[]) {
      for (const original of originals)
        database.run('DELETE FROM holdings WHERE document_id = :document AND original = :original', { document, original })
    },

    /** The files of all that nobody in the collection needs are gone. */
    letGoUnneeded: (collection: string) =>
      database.run(`DELETE FROM holdings AS h WHERE collection_id = :collection AND NOT ${NEEDED}`, { collection }),
  }
}
