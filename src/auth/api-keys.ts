// API keys: 256 random bits behind a prefix that says whose they are. Only a keyed hash is kept, and a key dies with its owner.
import { randomBytes } from 'node:crypto'
import { API_KEY_PREFIX, type Permission } from '../contracts/claims.ts'
import { heldKey, userKey } from '../platform/admission.ts'
import { failure } from '../platform/errors.ts'
import { API_KEY } from '../platform/identity.ts'
import { type Redis, script } from '../platform/redis.ts'
import { openReplace } from './fields.ts'
import type { Mac } from './secrets.ts'

/** Living keys one user can have. */
const KEYS_MAX = 50
const DAY_MS = 86_400_000

export interface ApiKey {
  id: string
  name: string
  permissions: Permission[]
  created_at: string
  expires_at: string
  last_used_at: string | null
}

// KEYS: key, index, user. ARGV: id, hash, name, permissions, created ms, life ms, most keys, key prefix.
const MAKE = `
if redis.call('HGET', KEYS[3], 'disabled') ~= '0' then return -1 end
for _, id in ipairs(redis.call('SMEMBERS', KEYS[2])) do
  if redis.call('EXISTS', ARGV[8] .. id) == 0 then redis.call('SREM', KEYS[2], id) end
end
if redis.call('SCARD', KEYS[2]) >= tonumber(ARGV[7]) then return 0 end
redis.call('HSET', KEYS[1], 'hash', ARGV[2], 'name', ARGV[3], 'permissions', ARGV[4], 'created', ARGV[5], 'until', ARGV[5] + ARGV[6])
redis.call('PEXPIRE', KEYS[1], ARGV[6])
redis.call('SADD', KEYS[2], ARGV[1])
return 1`

export function openApiKeys(redis: Redis, mac: Mac) {
  const make = script(redis, 'make_api_key', MAKE)
  const replace = openReplace(redis)
  const keyOf = (userId: string, id: string) => heldKey(userId, 'api_key', id)
  const indexOf = (userId: string) => `api_keys:{${userId}}`

  async function end(userId: string, id: string) {
    await redis.multi().del(keyOf(userId, id)).srem(indexOf(userId), id).exec()
  }

  return {
    end,

    lives: async (userId: string, id: string) => (await redis.exists(keyOf(userId, id))) === 1,

    /** Makes a key; `key` is shown this once. Throws `conflict` when the user has too many, `unauthenticated` when it was disabled or deleted meanwhile. */
    async make(
      userId: string,
      name: string,
      permissions: Permission[],
      days: number,
    ): Promise<Omit<ApiKey, 'last_used_at'> & { key: string }> {
      const id = randomBytes(8).toString('hex')
      const key = `${API_KEY_PREFIX}${userId}${id}${randomBytes(32).toString('base64url')}`
      const created = Date.now()
      const args = [id, mac.of(key), name, JSON.stringify(permissions), created, days * DAY_MS, KEYS_MAX, keyOf(userId, '')]
      const made = await make([keyOf(userId, id), indexOf(userId), userKey(userId)], args)
      if (made === -1) throw failure('unauthenticated')
      if (made !== 1) throw failure('conflict', `A user has at most ${KEYS_MAX} API keys; delete one first`)
      const at = (ms: number) => new Date(ms).toISOString()
      return { id, key, name, permissions, created_at: at(created), expires_at: at(created + days * DAY_MS) }
    },

    /** Was this key made here, and does it still stand? A hash made with an older secret moves to the newest one. */
    async genuine(key: string): Promise<boolean> {
      const [, userId, id] = API_KEY.exec(key) ?? []
      if (!userId || !id) return false
      const hash = await redis.hget(keyOf(userId, id), 'hash')
      if (hash === null || !mac.matches(key, hash)) return false
      const newest = mac.of(key)
      if (hash !== newest) await replace(keyOf(userId, id), 'hash', hash, newest)
      return true
    },

    async endAll(userId: string) {
      const ids = await redis.smembers(indexOf(userId))
      await Promise.all(ids.map(id => end(userId, id)))
    },

    /** Living keys, newest first. */
    async list(userId: string): Promise<ApiKey[]> {
      const ids = await redis.smembers(indexOf(userId))
      const found = await Promise.all(ids.map(async id => ({ id, held: await redis.hgetall(keyOf(userId, id)) })))
      return found
        .filter(({ held }) => held.created !== undefined)
        .toSorted((a, b) => Number(b.held.created) - Number(a.held.created))
        .map(({ id, held }) => ({
          id,
          name: held.name ?? '',
          permissions: JSON.parse(held.permissions ?? '[]') as Permission[],
          created_at: new Date(Number(held.created)).toISOString(),
          expires_at: new Date(Number(held.until)).toISOString(),
          last_used_at: held.seen ? new Date(Number(held.seen) * 1000).toISOString() : null,
        }))
    },
  }
}
export type ApiKeys = ReturnType<typeof openApiKeys>
