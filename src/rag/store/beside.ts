// Vectors of a second model beside a collection's own, while a change of model is tried or can still be taken back. Passages, words and
// ids are those of the one collection, so that whatever cites them stays true whichever model serves.
import type { Database } from './database.ts'

/** The schema version that brings the second model. `published` is the position from which search sees the vector, 0 while it does not. */
export const BESIDE = `
ALTER TABLE state ADD COLUMN beside TEXT;
CREATE TABLE beside (
  passage INTEGER PRIMARY KEY REFERENCES passages ON DELETE CASCADE, published INTEGER NOT NULL, vector BLOB NOT NULL
);
CREATE INDEX beside_published ON beside (published)`

/** Passages that have no vector of a model yet. */
export interface Lacking {
  model: string
  passages: { id: number; content: string }[]
}
/** Which passages are looked at: those of a version, or all that are visible; those after an id. */
export interface Part {
  document?: string
  version?: string
  after?: number
}

export function besideOf({ one, all, run, transaction }: Database) {
  const own = () => one<{ model: string }>('SELECT model FROM state')?.model ?? ''
  const second = () => one<{ beside: string | null }>('SELECT beside FROM state')?.beside ?? null

  /** Makes room for `model` beside the collection's own; what another one left there goes. */
  function hold(model: string) {
    if (model === own() || model === second()) return
    run('DELETE FROM beside')
    run('UPDATE state SET beside = :model', { model })
  }

  function lackingOf(model: string, { document, version, after = 0 }: Part, limit: number) {
    const without = model === own() ? 'length(vector) = 0' : 'NOT EXISTS (SELECT 1 FROM beside WHERE passage = id)'
    const those = document && version ? 'document = :document AND version = :version' : 'published > 0'
    return all<{ id: number; content: string }>(
      `SELECT id, content FROM passages WHERE ${those} AND id > :after AND ${without} ORDER BY id LIMIT :limit`,
      { ...(document && version && { document, version }), after, limit },
    )
  }

  return {
    /** At most `limit` passages without a vector of one of `models`, the first that lacks any; nothing when all have all. */
    lacking(models: string[], part: Part, limit: number): Lacking | undefined {
      return transaction(() => {
        for (const model of models) {
          hold(model)
          const passages = lackingOf(model, part, limit)
          if (passages.length > 0) return { model, passages }
        }
        return undefined
      })
    },

    /** Stores vectors of `model` (row-major, one per id) that were lacking; of passages that went meanwhile none. */
    fill(model: string, ids: number[], vectors: Float32Array) {
      const dimensions = vectors.length / ids.length
      transaction(() => {
        if (model !== own() && model !== second()) return
        const position = (one<{ position: number }>('SELECT position FROM state')?.position ?? 0) + 1
        run('UPDATE state SET position = :position', { position })
        for (const [i, id] of ids.entries()) {
          const row = vectors.subarray(i * dimensions, (i + 1) * dimensions)
          const vector = new Uint8Array(row.buffer, row.byteOffset, row.byteLength)
          if (model === own()) run('UPDATE passages SET vector = :vector WHERE id = :id', { id, vector })
          else
            run(
              `INSERT OR REPLACE INTO beside SELECT id, CASE WHEN published > 0 THEN :position ELSE 0 END, :vector FROM passages WHERE id = :id`,
              { id, position, vector },
            )
        }
      })
    },

    /** From now on `model` is the collection's own and only one. What lacks its vector is filled before it is shown. */
    settle(model: string) {
      transaction(() => {
        if (model === second()) {
          run(`UPDATE passages SET vector = coalesce((SELECT vector FROM beside WHERE passage = id), x'')`)
          run('UPDATE state SET model = :model, position = position + 1', { model })
        }
        run('DELETE FROM beside')
        run('UPDATE state SET beside = NULL')
      })
    },
  }
}
