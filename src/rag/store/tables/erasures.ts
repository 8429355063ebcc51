// Rows of erasures: the intent to erase a document, then its receipt; and how far the stream of erasures has been read.
import type { Database } from '../database.ts'

export interface ErasureRow {
  id: string
  user_id: string
  collection_id: string
  document_id: string
  /** JSON list. */
  versions: string
  /** JSON object of counts. */
  counts: string
  stage: 'removing' | 'announcing' | 'done'
  /** Id of its entry in the stream. */
  entry: string | null
  created_at: number
}

/** How long the receipt of a finished erasure can be asked for, in milliseconds. */
const KEPT_MS = 90 * 24 * 3600 * 1000
/** Older receipts removed with each new one, so that no erasure waits for the removal of many. */
const REMOVED_AT_ONCE = 100

export function erasureTable(database: Database) {
  return {
    insert(row: Omit<ErasureRow, 'counts' | 'stage' | 'entry' | 'created_at'>) {
      const now = Date.now()
      database.run(
        `INSERT INTO erasures (id, user_id, collection_id, document_id, versions, counts, stage, created_at)
         VALUES (:id, :user_id, :collection_id, :document_id, :versions, '{}', 'removing', :now)`,
        { ...row, now },
      )
      // An id begins with the time it was made at, 12 hexadecimal digits of milliseconds.
      const before = (now - KEPT_MS).toString(16).padStart(12, '0')
      database.run(
        `DELETE FROM erasures WHERE id IN (SELECT id FROM erasures WHERE id < :before AND stage = 'done' ORDER BY id LIMIT :most)`,
        { before, most: REMOVED_AT_ONCE },
      )
    },

    byId: (id: string) => database.one<ErasureRow>('SELECT * FROM erasures WHERE id = :id', { id }),

    unfinished: () => database.all<ErasureRow>(`SELECT * FROM erasures WHERE stage <> 'done' ORDER BY id`),

    removed: (id: string, counts: string) =>
      database.run(`UPDATE erasures SET stage = 'announcing', counts = :counts WHERE id = :id`, { id, counts }),

    announced: (id: string, entry: string) =>
      database.run(`UPDATE erasures SET stage = 'done', entry = :entry WHERE id = :id`, { id, entry }),

    /** Lets go of a user's receipts; what is not finished stays until it is. */
    forget: (user: string) => database.run(`DELETE FROM erasures WHERE user_id = :user AND stage = 'done'`, { user }),

    cursor: (name: string) =>
      database.one<{ position: string }>('SELECT position FROM cursors WHERE name = :name', { name })?.position,

    moveCursor: (name: string, position: string) =>
      database.run(
        'INSERT INTO cursors (name, position) VALUES (:name, :position) ON CONFLICT DO UPDATE SET position = excluded.position',
        {
          name,
          position,
        },
      ),
  }
}
