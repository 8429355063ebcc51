// Rows of the versions of documents: each is one canonical text, named by its SHA-256, made from one original.
import type { Database } from '../database.ts'

export interface VersionRow {
  document_id: string
  version: string
  original: string
  media_type: string
  /** JSON object: what was not extracted. */
  coverage: string
  passages: number
  state: 'pending' | 'kept' | 'gone'
  created_at: number
}

/** Versions let go of that are remembered by name per document, the newest: who asks for one is told that it is gone. */
const GONE_MAX = 1000

export function versionTable(database: Database) {
  return {
    /** Its passages are about to be published. A version that comes back keeps its place but counts as new. */
    intend: (row: Omit<VersionRow, 'state'>) =>
      database.run(
        `INSERT INTO versions (document_id, version, original, media_type, coverage, passages, state, created_at)
         VALUES (:document_id, :version, :original, :media_type, :coverage, :passages, 'pending', :created_at)
         ON CONFLICT DO UPDATE SET original = excluded.original, media_type = excluded.media_type, coverage = excluded.coverage,
           passages = excluded.passages, created_at = excluded.created_at, state = CASE state WHEN 'kept' THEN 'kept' ELSE 'pending' END`,
        row,
      ),

    keep: (document: string, version: string) =>
      database.run(`UPDATE versions SET state = 'kept' WHERE document_id = :document AND version = :version`, {
        document,
        version,
      }),

    one: (document: string, version: string) =>
      database.one<VersionRow>('SELECT * FROM versions WHERE document_id = :document AND version = :version', {
        document,
        version,
      }),

    /** Newest first. */
    of: (document: string) =>
      database.all<VersionRow>('SELECT * FROM versions WHERE document_id = :document ORDER BY created_at DESC, version', {
        document,
      }),

    /** Those that can be read, newest first. */
    kept: (document: string) =>
      database.all<VersionRow>(
        `SELECT * FROM versions WHERE document_id = :document AND state = 'kept' ORDER BY created_at DESC, version`,
        { document },
      ),

    /** Lets go of all but the newest `kept` versions that can be read, the visible one always among them; returns those let go. */
    prune(document: string, visible: string, kept: number) {
      const gone = database.all<{ version: string }>(
        `UPDATE versions SET state = 'gone' WHERE document_id = :document AND state = 'kept' AND version <> :visible
           AND version NOT IN (SELECT version FROM versions WHERE document_id = :document AND state = 'kept' AND version <> :visible
                               ORDER BY created_at DESC LIMIT :others)
         RETURNING version`,
        { document, visible, others: Math.max(0, kept - 1) },
      )
      database.run(
        `DELETE FROM versions WHERE document_id = :document AND version IN
           (SELECT version FROM versions WHERE document_id = :document AND state = 'gone' ORDER BY created_at DESC LIMIT -1 OFFSET :most)`,
        { document, most: GONE_MAX },
      )
      return gone
    },

    /** Texts (by version) a collection still needs. */
    texts: (collection: string) =>
      database
        .all<{ version: string }>(
          `SELECT v.version FROM versions v JOIN documents d ON d.id = v.document_id
             WHERE d.collection_id = :collection AND d.erasing = 0 AND v.state <> 'gone'
           UNION SELECT j.version FROM jobs j JOIN documents d ON d.id = j.document_id
             WHERE d.collection_id = :collection AND d.erasing = 0 AND j.version IS NOT NULL
               AND j.state IN ('queued', 'extracting', 'embedding')`,
          { collection },
        )
        .map(({ version }) => version),

    /** Texts (by version) that belong to a document, being erased or not: of its versions, and of every job it had. */
    textsOf: (document: string) =>
      database
        .all<{ version: string }>(
          `SELECT version FROM versions WHERE document_id = :document
           UNION SELECT version FROM jobs WHERE document_id = :document AND version IS NOT NULL`,
          { document },
        )
        .map(({ version }) => version),

    /** Does anything in the collection still need this text? The crosses keep the text first: few have it, and many may be in a collection. */
    needsText: (collection: string, version: string) =>
      database.one(
        `SELECT 1 FROM versions v CROSS JOIN documents d ON d.id = v.document_id
           WHERE v.version = :version AND v.state <> 'gone' AND d.collection_id = :collection AND d.erasing = 0
         UNION ALL SELECT 1 FROM jobs j CROSS JOIN documents d ON d.id = j.document_id
           WHERE j.version = :version AND j.state IN ('queued', 'extracting', 'embedding') AND d.collection_id = :collection AND d.erasing = 0
         LIMIT 1`,
        { collection, version },
      ) !== undefined,
  }
}
