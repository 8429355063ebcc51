// Rows of requests that carried an `Idempotency-Key`: what was asked and what was answered, kept for a day, written together with
// what the request did.
import type { Database } from '../database.ts'

export interface IdempotencyRow {
  user_id: string
  route: string
  key: string
  /** SHA-256 over everything the request said. */
  fingerprint: string
  status: number
  /** JSON. */
  reply: string
}

/** How long an answer is given again, in milliseconds. */
const KEPT_MS = 24 * 3600 * 1000
/** Older ones removed with each new one, so that no request waits for the removal of many. */
const REMOVED_AT_ONCE = 100

export function idempotencyTable(database: Database) {
  return {
    find: (user_id: string, route: string, key: string) =>
      database.one<IdempotencyRow>(
        'SELECT * FROM idempotency WHERE user_id = :user_id AND route = :route AND key = :key AND created_at > :since',
        { user_id, route, key, since: Date.now() - KEPT_MS },
      ),

    insert(row: IdempotencyRow) {
      const now = Date.now()
      database.run(
        `DELETE FROM idempotency WHERE (user_id, route, key) IN
           (SELECT user_id, route, key FROM idempotency WHERE created_at <= :since ORDER BY created_at LIMIT :most)`,
        { since: now - KEPT_MS, most: REMOVED_AT_ONCE },
      )
      // One that is too old may still be there.
      database.run(
        `INSERT OR REPLACE INTO idempotency (user_id, route, key, fingerprint, status, reply, created_at)
         VALUES (:user_id, :route, :key, :fingerprint, :status, :reply, :now)`,
        { ...row, now },
      )
    },

    forget: (user_id: string) => database.run('DELETE FROM idempotency WHERE user_id = :user_id', { user_id }),
  }
}
