// Who may register where registration is not open: invitations by an admin, and the one-time token that makes the first admin.
import { createHash, randomBytes } from 'node:crypto'
import type { Role } from '../contracts/claims.ts'
import type { Redis } from '../platform/redis.ts'

const INVITE_MS = 7 * 86_400_000

const keyOf = (invite: string) => `invite:{${createHash('sha256').update(invite).digest('hex')}}`

export function openInvites(redis: Redis) {
  return {
    /** An invitation for one registration with this role. Only its hash is stored. */
    async make(role: Role, lifeMs = INVITE_MS): Promise<{ invite: string; expires_at: string }> {
      const invite = randomBytes(24).toString('base64url')
      await redis.set(keyOf(invite), role, 'PX', lifeMs)
      return { invite, expires_at: new Date(Date.now() + lifeMs).toISOString() }
    },

    /** The role an invitation gives, without using it up. */
    role: (invite: string) => redis.get(keyOf(invite)) as Promise<Role | null>,

    /** Uses an invitation up: true for exactly one of many callers. */
    use: async (invite: string) => (await redis.del(keyOf(invite))) === 1,
  }
}
export type Invites = ReturnType<typeof openInvites>
