// Rows of evaluations: what was asked, and what came out.
import type { Database } from '../database.ts'

export interface EvaluationRow {
  id: string
  user_id: string
  /** JSON. */
  request: string
  state: 'queued' | 'ready' | 'failed'
  /** Queries asked, of how many. */
  done: number
  total: number
  /** JSON. */
  result: string | null
  created_at: number
}

/** Evaluations remembered per user. */
const KEPT = 100

export function evaluationTable(database: Database) {
  return {
    insert(row: Pick<EvaluationRow, 'id' | 'user_id' | 'request' | 'total'>) {
      database.run(
        `INSERT INTO evaluations (id, user_id, request, state, done, total, created_at) VALUES (:id, :user_id, :request, 'queued', 0, :total, :now)`,
        { ...row, now: Date.now() },
      )
      database.run(
        `DELETE FROM evaluations WHERE user_id = :user AND state <> 'queued' AND id NOT IN
           (SELECT id FROM evaluations WHERE user_id = :user ORDER BY id DESC LIMIT :kept)`,
        { user: row.user_id, kept: KEPT },
      )
    },

    byId: (id: string) => database.one<EvaluationRow>('SELECT * FROM evaluations WHERE id = :id', { id }),

    /** The one to be run now, from its start: users are served in a circle, and it is the next one's after `served` who waits longest. */
    next: (served: string) =>
      database.one<EvaluationRow>(
        `UPDATE evaluations SET done = 0 WHERE id =
           (SELECT min(id) FROM evaluations WHERE state = 'queued' GROUP BY user_id ORDER BY user_id <= :served, user_id LIMIT 1)
         RETURNING *`,
        { served },
      ),

    waiting: () => database.one<{ n: number }>(`SELECT count(*) AS n FROM evaluations WHERE state = 'queued'`)?.n ?? 0,

    waitingOf: (user: string) =>
      database.one<{ n: number }>(`SELECT count(*) AS n FROM evaluations WHERE user_id = :user AND state = 'queued'`, { user })
        ?.n ?? 0,

    advance: (id: string) => database.run('UPDATE evaluations SET done = done + 1 WHERE id = :id', { id }),

    finish: (id: string, result: string) =>
      database.run(`UPDATE evaluations SET state = 'ready', result = :result WHERE id = :id`, { id, result }),

    fail: (id: string) => database.run(`UPDATE evaluations SET state = 'failed' WHERE id = :id`, { id }),

    /** The newest that were understood, whoever asked them. */
    stored: (limit: number) =>
      database.all<EvaluationRow>(`SELECT * FROM evaluations WHERE state = 'ready' ORDER BY id DESC LIMIT :limit`, { limit }),

    forget: (user: string) => database.run('DELETE FROM evaluations WHERE user_id = :user', { user }),
  }
}
