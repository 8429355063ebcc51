// Rows of documents. A document that is being erased is not there for anyone; only the erasure still knows it.
import type { Database } from '../database.ts'

export const documentStates = ['queued', 'extracting', 'embedding', 'ready', 'failed'] as const
export type DocumentState = (typeof documentStates)[number]

export interface DocumentRow {
  id: string
  collection_id: string
  title: string
  source: string | null
  /** JSON object. */
  metadata: string
  /** SHA-256 of the bytes last accepted. */
  original: string
  bytes: number
  /** That of the job that came last. */
  state: DocumentState
  /** JSON `{ code, message }` of the job that came last. */
  failure: string | null
  /** The version search shows; null before the first. */
  version: string | null
  job_id: string
  created_by: string
  created_at: number
  updated_at: number
}

export interface DocumentFilter {
  /** JSON list of collection ids. */
  collections: string
  state: DocumentState | null
  name: string | null
  /** Id the page before ended with. */
  after: string | null
  limit: number
}

/** Documents taken at once by who takes one after the other. */
const SOME = 500

/** A version of a document as a collection's file shows it, or should. */
export interface Shown {
  document: string
  version: string
  passages: number
}

export function documentTable(database: Database) {
  return {
    insert: (row: DocumentRow) =>
      database.run(
        `INSERT INTO documents (id, collection_id, title, source, metadata, original, bytes, state, failure, version, job_id, created_by, created_at, updated_at)
         VALUES (:id, :collection_id, :title, :source, :metadata, :original, :bytes, :state, :failure, :version, :job_id, :created_by, :created_at, :updated_at)`,
        { ...row },
      ),

    byId: (id: string) => database.one<DocumentRow>('SELECT * FROM documents WHERE id = :id AND erasing = 0', { id }),

    /** Of several ids (a JSON list), those that are there. */
    byIds: (ids: string) =>
      database.all<DocumentRow>('SELECT * FROM documents WHERE id IN (SELECT value FROM json_each(:ids)) AND erasing = 0', {
        ids,
      }),

    byOriginal: (collection: string, original: string) =>
      database.one<DocumentRow>(
        'SELECT * FROM documents WHERE collection_id = :collection AND original = :original AND erasing = 0',
        { collection, original },
      ),

    /** The newest of that name; what came from a source is called by its source. */
    byName: (collection: string, title: string, source: string | null) =>
      source === null
        ? database.one<DocumentRow>(
            `SELECT * FROM documents WHERE collection_id = :collection AND title = :title AND source IS NULL AND erasing = 0
             ORDER BY id DESC LIMIT 1`,
            { collection, title },
          )
        : database.one<DocumentRow>(
            'SELECT * FROM documents WHERE collection_id = :collection AND source = :source AND erasing = 0 ORDER BY id DESC LIMIT 1',
            { collection, source },
          ),

    /** The first of those in a collection. */
    someOf: (collection: string) =>
      database.all<{ id: string }>(
        'SELECT id FROM documents WHERE collection_id = :collection AND erasing = 0 ORDER BY id LIMIT :some',
        { collection, some: SOME },
      ),

    // Each condition only where it is wanted: an index serves no condition that may be none. Of each collection the first of the page, of
    // these the page.
    list: ({ state, name, after, ...rest }: DocumentFilter) =>
      database.all<DocumentRow>(
        `SELECT d.* FROM json_each(:collections) c CROSS JOIN documents d ON d.id IN (
           SELECT id FROM documents WHERE collection_id = c.value AND erasing = 0 ${state ? 'AND state = :state' : ''}
             ${name === null ? '' : 'AND title = :name'} ${after === null ? '' : 'AND id < :after'}
           ORDER BY id DESC LIMIT :limit)
         ORDER BY d.id DESC LIMIT :limit`,
        { ...rest, ...(state && { state }), ...(name !== null && { name }), ...(after !== null && { after }) },
      ),

    /** What a collection's file should show: of every document its version, how many passages that has, and what it was made from. */
    shown: (collection: string) =>
      database.all<Shown & { title: string; created_by: string; made_from: string }>(
        `SELECT d.id AS document, d.title, d.created_by, d.version, v.passages, v.original AS made_from
         FROM documents d JOIN versions v ON v.document_id = d.id AND v.version = d.version
         WHERE d.collection_id = :collection AND d.erasing = 0`,
        { collection },
      ),

    /** Of several collections (a JSON list), those with something to find. */
    searchable: (collections: string) =>
      database
        .all<{ id: string }>(
          `SELECT value AS id FROM json_each(:collections)
           WHERE EXISTS (SELECT 1 FROM documents WHERE collection_id = value AND version IS NOT NULL AND erasing = 0)`,
          { collections },
        )
        .map(({ id }) => id),

    /** What has something to find in a collection, one document after the other, with its metadata. */
    described: (collection: string) =>
      database.each<Pick<DocumentRow, 'id' | 'metadata'>>(
        'SELECT id, metadata FROM documents WHERE collection_id = :collection AND version IS NOT NULL AND erasing = 0',
        { collection },
      ),

    /** New bytes were accepted for it: `job` will make the next version. */
    renew: (row: Pick<DocumentRow, 'id' | 'original' | 'bytes' | 'job_id' | 'source' | 'metadata'>) =>
      database.run(
        `UPDATE documents SET original = :original, bytes = :bytes, job_id = :job_id, source = :source, metadata = :metadata,
           state = 'queued', failure = NULL, updated_at = :now WHERE id = :id`,
        { ...row, now: Date.now() },
      ),

    /** Follows its job, unless a later job has taken over. */
    follow: (row: { id: string; job_id: string; state: DocumentState; failure: string | null }) =>
      database.run(
        'UPDATE documents SET state = :state, failure = :failure, updated_at = :now WHERE id = :id AND job_id = :job_id',
        { ...row, now: Date.now() },
      ),

    /** `job` makes its visible version again; search shows nothing of it meanwhile, and nothing else changes. */
    mend: (id: string, job_id: string) =>
      database.run(`UPDATE documents SET job_id = :job_id, state = 'queued', failure = NULL, updated_at = :now WHERE id = :id`, {
        ...{ id, job_id, now: Date.now() },
      }),

    show: (id: string, version: string) =>
      database.run('UPDATE documents SET version = :version, updated_at = :now WHERE id = :id', { id, version, now: Date.now() }),

    /** Does the collection still have documents, those being erased among them? */
    holds: (collection: string) =>
      database.one('SELECT 1 FROM documents WHERE collection_id = :collection LIMIT 1', { collection }) !== undefined,

    markErasing: (id: string) => database.run('UPDATE documents SET erasing = 1 WHERE id = :id', { id }),

    remove: (id: string) => database.run('DELETE FROM documents WHERE id = :id', { id }),
  }
}
