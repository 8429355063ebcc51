// One Redis round trip per request: is the session or key alive, what role is stored, and how often has this caller or address
// asked. The answer is never cached, so a revocation reaches the very next request.
import type { Role } from '../contracts/claims.ts'
import { failure } from './errors.ts'
import type { Count, Limit } from './limits.ts'
import { type Redis, script, WHEN_FULL } from './redis.ts'

/** Seconds between two notes of when a session or key was last used. */
const SEEN_EVERY_S = 60

/** Who claims to be asking: the verified, but perhaps revoked, credential. */
export interface Claimant {
  user_id: string
  credential: 'session' | 'api_key'
  /** Session id or key id. */
  id: string
}

export interface Admission {
  alive: boolean
  username: string
  role: Role
  /** JSON list of permissions an API key was given. */
  keyPermissions?: string
  counts: Count[]
}

// KEYS: user, session or key, then one counter per limit. ARGV: seconds between notes, then the window of each limit in ms.
// Without a claimant the first two keys are absent and ARGV[1] is 0. Each counter is a fixed window that starts with its first request;
// a credential that is dead counts nothing, so that nobody can use up what its owner may ask. Counters are neither written to disk nor
// copied to a follower: a request would wait for the disk, and all a restart of Redis can lose is the running window of each. They end with
// their windows, so a full Redis goes on counting: whoever could not be admitted there could not sign out or delete anything either.
const ADMIT = `${WHEN_FULL}
local reply, first = {}, 1
if ARGV[1] ~= '0' then
  first = 3
  local user = redis.call('HMGET', KEYS[1], 'username', 'role', 'disabled')
  local held = redis.call('HMGET', KEYS[2], 'created', 'seen', 'permissions')
  local alive = user[2] and user[3] ~= '1' and held[1]
  reply = { alive and 1 or 0, user[1] or '', user[2] or '', held[3] or '' }
  if not alive then return reply end
  local now = tonumber(redis.call('TIME')[1])
  if now - tonumber(held[2] or 0) >= tonumber(ARGV[1]) then redis.call('HSET', KEYS[2], 'seen', now) end
end
redis.set_repl(redis.REPL_NONE)
for i = first, #KEYS do
  local used = redis.call('INCR', KEYS[i])
  if used == 1 then redis.call('PEXPIRE', KEYS[i], ARGV[i - first + 2]) end
  reply[#reply + 1] = used
  reply[#reply + 1] = redis.call('PTTL', KEYS[i])
end
return reply`

/** Redis keys of what a claimant holds; auth writes them, every service reads them. */
export const userKey = (userId: string) => `user:{${userId}}`
export const heldKey = (userId: string, credential: Claimant['credential'], id: string) => `${credential}:{${userId}}:${id}`

/**
 * Makes the function that admits: counts the request against `limits` and looks the claimant up, in one atomic step. Throws `unavailable`
 * while Redis is an older one than it was.
 */
export function openAdmission(redis: Redis, isOlder: () => boolean) {
  const run = script(redis, 'admit', ADMIT)
  return async (limits: Limit[], claimant?: Claimant): Promise<Admission> => {
    const held = claimant ? [userKey(claimant.user_id), heldKey(claimant.user_id, claimant.credential, claimant.id)] : []
    const keys = [...held, ...limits.map(({ key }) => key)]
    const windows = limits.map(({ windowMs }) => windowMs)
    if (isOlder()) throw failure('unavailable')
    const reply = (await run(keys, [claimant ? SEEN_EVERY_S : 0, ...windows])) as (string | number)[]
    const [alive, username, role, keyPermissions] = claimant ? reply.splice(0, 4) : []
    const counted = reply.length > 0 ? limits : []
    return {
      alive: alive === 1,
      username: String(username ?? ''),
      role: role as Role,
      ...(keyPermissions && { keyPermissions: String(keyPermissions) }),
      counts: counted.map(({ max }, i) => ({ max, used: Number(reply[2 * i]), resetMs: Number(reply[2 * i + 1]) })),
    }
  }
}
