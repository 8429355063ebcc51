// Passwords, byte for byte as given: argon2id at a stated cost, few at once and few waiting, and the same work for a name nobody has.
import { dictionary } from '@zxcvbn-ts/language-common'
import { argon2id, hash, needsRehash, verify } from 'argon2'
import pLimit from 'p-limit'
import { failure } from '../platform/errors.ts'

/** OWASP's second choice for argon2id: 19 MiB, 2 passes, 1 lane; 17 ms on two shared cores (measured). */
const COST = { type: argon2id, memoryCost: 19_456, timeCost: 2, parallelism: 1 } as const
/** Hashes computed at once: bounds memory (19 MiB each) and leaves a core for everything else. */
const HASHES_MAX = 2
/** Hashes waiting for their turn; beyond it the answer is 503. About two seconds of work. */
const WAITING_MAX = 200

const common = new Set(dictionary['passwords-common'])

export interface Passwords {
  /** Hashes a new password; refuses those everybody tries first. */
  hash(password: string): Promise<string>
  /** Compares; without a stored hash it does the same work and says no. */
  matches(password: string, stored: string | undefined): Promise<boolean>
  /** The hash of a password that was matched, at today's cost, when the stored one was made at another. */
  renewed(password: string, stored: string): Promise<string | undefined>
}

export async function openPasswords(): Promise<Passwords> {
  const limit = pLimit(HASHES_MAX)
  const inTurn = <T>(work: () => Promise<T>) => {
    if (limit.pendingCount >= WAITING_MAX) throw failure('unavailable')
    return limit(work)
  }
  const nobody = await hash('', COST)

  return {
    async hash(password) {
      if (common.has(password.toLowerCase()))
        throw failure('invalid_request', 'That password is among the most common ones; choose another')
      return inTurn(() => hash(password, COST))
    },
    async matches(password, stored) {
      const right = await inTurn(() => verify(stored ?? nobody, password))
      return stored !== undefined && right
    },
    renewed: async (password, stored) => (needsRehash(stored, COST) ? inTurn(() => hash(password, COST)) : undefined),
  }
}
