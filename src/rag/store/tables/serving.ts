// The one row that says which embedding model serves, and how far a change of it has come. Without the row the configuration decides.
import type { Database } from '../database.ts'

export interface ServingRow {
  /** Name of the model that serves. */
  model: string
  /** The one it is changed to, or was changed from; none when settled. */
  beside: string | null
  stage: 'embedding' | 'evaluating' | 'kept' | 'finishing' | 'settled'
  ndcg_loss_max: number
  /** Collections or questions done in this stage, of how many. */
  done: number
  total: number
  /** JSON: what the comparison said. */
  outcome: string | null
}

export function servingTable(database: Database) {
  return {
    row: () => database.one<ServingRow>('SELECT model, beside, stage, ndcg_loss_max, done, total, outcome FROM serving'),

    set(row: ServingRow) {
      database.run(
        `INSERT OR REPLACE INTO serving (one, model, beside, stage, ndcg_loss_max, done, total, outcome)
         VALUES (1, :model, :beside, :stage, :ndcg_loss_max, :done, :total, :outcome)`,
        { ...row },
      )
    },
  }
}
