// `Idempotency-Key`: the same request sent again gets the same answer and does nothing again. The answer is stored in the transaction
// that does the work, so there is no moment in which one is there without the other.
import { failure } from '../platform/errors.ts'
import type { Catalogue } from './store/catalogue.ts'

export interface Answer<Reply> {
  status: number
  reply: Reply
}

/** What the work may ask and must tell while it runs. */
export interface Claim<Reply> {
  /** The answer given before to this very request, if any. Throws `conflict` when the key belonged to a different one. */
  before: (fingerprint: string) => Answer<Reply> | undefined
  /** Stores the answer; called inside the transaction that does the work. */
  record: (fingerprint: string, answer: Answer<Reply>) => void
}

const KEY = /^[\x21-\x7e]{1,255}$/

export type Idempotency = ReturnType<typeof openIdempotency>

export function openIdempotency({ idempotency }: Catalogue) {
  const running = new Set<string>()

  /** Runs `work` for a user, a route and her key; without a key it simply runs. Throws `conflict` while the same key is under way. */
  return async <Reply>(
    user: string,
    route: string,
    key: string | undefined,
    work: (claim: Claim<Reply>) => Promise<Answer<Reply>>,
  ) => {
    if (key === undefined) return work({ before: () => undefined, record: () => {} })
    if (!KEY.test(key)) throw failure('invalid_request', 'Idempotency-Key is 1 to 255 visible ASCII characters')
    const name = JSON.stringify([user, route, key])
    if (running.has(name)) {
      throw failure('conflict', 'A request with this Idempotency-Key is under way', { headers: { 'retry-after': 1 } })
    }
    running.add(name)
    try {
      return await work({
        before(fingerprint) {
          const known = idempotency.find(user, route, key)
          if (!known) return undefined
          if (known.fingerprint !== fingerprint)
            throw failure('conflict', 'This Idempotency-Key was used for a different request')
          return { status: known.status, reply: JSON.parse(known.reply) }
        },
        record: (fingerprint, { status, reply }) =>
          idempotency.insert({ user_id: user, route, key, fingerprint, status, reply: JSON.stringify(reply) }),
      })
    } finally {
      running.delete(name)
    }
  }
}
