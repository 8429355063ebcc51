// Accounts. A name belongs to whoever's `SET NX` came first; the account is written before, so a crash leaves no name without one.
import { randomBytes } from 'node:crypto'
import type { Role } from '../contracts/claims.ts'
import { userKey } from '../platform/admission.ts'
import { failure } from '../platform/errors.ts'
import { type Redis, script, WHEN_FULL } from '../platform/redis.ts'
import { openAdmins } from './admins.ts'
import { openDelete, openReplace } from './fields.ts'
import { canonicalName, checkName } from './usernames.ts'

/** All account ids, in order, for paging. */
const ALL = '{users}:all'
const nameKey = (canonical: string) => `username:{${canonical}}`

export const TAKEN = 'That username is taken'

export interface User {
  user_id: string
  username: string
  role: Role
  disabled: boolean
  created_at: string
}
/** With the stored hash, which never leaves this service. */
export type Account = User & { password: string }

/** For an account that is told of before it is made. */
export const newUserId = () => randomBytes(16).toString('hex')

/** Changes fields of an account that is still there. */
const CHANGE = `${WHEN_FULL}if redis.call('EXISTS', KEYS[1]) == 0 then return 0 end redis.call('HSET', KEYS[1], unpack(ARGV)) return 1`

export function openUsers(redis: Redis) {
  const admins = openAdmins(redis)
  const deleteIf = openDelete(redis)
  const change = script(redis, 'change_user', CHANGE)
  const replace = openReplace(redis)

  async function get(userId: string): Promise<Account | undefined> {
    const stored = await redis.hgetall(userKey(userId))
    return stored.username === undefined ? undefined : account(userId, stored)
  }

  return {
    get,

    async byName(username: string): Promise<Account | undefined> {
      const userId = await redis.get(nameKey(canonicalName(username)))
      return userId ? get(userId) : undefined
    },

    /** `password` is the hash. Throws `conflict` when the name is taken. */
    async create(username: string, password: string, role: Role, userId = newUserId()): Promise<User> {
      checkName(username)
      const canonical = canonicalName(username)
      const made = { username: username.normalize('NFC'), canonical, role, disabled: '0', password, created: Date.now() }
      await redis.hset(userKey(userId), made)
      await redis.zadd(ALL, 0, userId)
      if ((await redis.set(nameKey(canonical), userId, 'NX')) === null) {
        await Promise.all([redis.del(userKey(userId)), redis.zrem(ALL, userId)])
        throw failure('conflict', TAKEN)
      }
      if (role === 'admin') await admins.join(userId)
      return publicPart(account(userId, { ...made, created: String(made.created) }))
    },

    /** Both are hashes. False when `before` is no longer the stored one: somebody else was first. */
    replacePassword(userId: string, before: string, after: string): Promise<boolean> {
      return replace(userKey(userId), 'password', before, after)
    },

    /** Role and disabled decide at the very next request. The order keeps the list of admins no longer than the truth. */
    update(userId: string, changes: { role?: Role; disabled?: boolean }): Promise<User> {
      return admins.alone(async () => {
        const before = await get(userId)
        if (!before) throw failure('not_found')
        const after = { ...before, ...changes }
        const staysAdmin = after.role === 'admin' && !after.disabled
        if (!staysAdmin) await admins.leave(userId)
        if (!(await change([userKey(userId)], ['role', after.role, 'disabled', after.disabled ? '1' : '0'])))
          throw failure('not_found')
        if (staysAdmin) await admins.join(userId)
        return publicPart(after)
      })
    },

    /** Forgets the account. Its sessions and keys must have been ended before. */
    remove(userId: string): Promise<void> {
      return admins.alone(async () => {
        const stored = await get(userId)
        if (!stored) throw failure('not_found')
        await admins.leave(userId)
        await deleteIf(nameKey(canonicalName(stored.username)), userId)
        await redis.del(userKey(userId))
        await redis.zrem(ALL, userId)
      })
    },

    /** Accounts in id order, after `cursor`. */
    async list(cursor: string | undefined, limit: number): Promise<{ users: User[]; next_cursor: string | null }> {
      const ids = await redis.zrange(ALL, cursor ? `(${cursor}` : '-', '+', 'BYLEX', 'LIMIT', 0, limit + 1)
      const found = await Promise.all(ids.slice(0, limit).map(get))
      const users = found.filter(user => user !== undefined).map(publicPart)
      return { users, next_cursor: ids.length > limit ? (ids[limit - 1] ?? null) : null }
    },

    hasAdmin: admins.any,
  }
}
export type Users = ReturnType<typeof openUsers>

function account(userId: string, stored: Record<string, string>): Account {
  return {
    user_id: userId,
    username: stored.username ?? '',
    role: stored.role as Role,
    disabled: stored.disabled === '1',
    created_at: new Date(Number(stored.created)).toISOString(),
    password: stored.password ?? '',
  }
}

/** What may be shown of an account. */
export function publicPart({ user_id, username, role, disabled, created_at }: User): User {
  return { user_id, username, role, disabled, created_at }
}
