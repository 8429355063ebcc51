// Sessions and their refresh tokens. Refreshing is one atomic step; the successor is an HMAC of the token presented, so for a short
// grace a client that lost the answer gets the same one again, though nothing is stored in clear and no second lineage exists.
import { randomBytes } from 'node:crypto'
import { heldKey, userKey } from '../platform/admission.ts'
import { failure } from '../platform/errors.ts'
import { type Redis, script, WHEN_FULL } from '../platform/redis.ts'
import { openMac } from './secrets.ts'

/** How long the immediate predecessor of a refresh token still gets that token's successor, in milliseconds. */
const GRACE_MS = 30_000
/** Sessions one user can have; the oldest ends when one more is opened. */
const SESSIONS_MAX = 100
const AGENT_CHARS_MAX = 200

const REFRESH = /^rt_([0-9a-f]{32})([0-9a-f]{32})([\w-]{43})([\w-]{43})$/

export interface Client {
  address: string
  agent: string
}
export interface OpenSession {
  user_id: string
  session_id: string
  refresh_token: string
}
export interface SessionSeen {
  id: string
  address: string
  agent: string
  created_at: string
  last_seen_at: string
}

// KEYS: user, session, index. ARGV: session id, refresh hash, address, agent, idle ms, absolute ms, most sessions, key prefix of sessions,
// the stored password hash that was matched.
const OPEN = `
local user = redis.call('HMGET', KEYS[1], 'disabled', 'password')
if user[1] ~= '0' or user[2] ~= ARGV[9] then return 0 end
local time = redis.call('TIME')
local now = time[1] * 1000 + math.floor(time[2] / 1000)
redis.call('HSET', KEYS[2], 'created', now, 'seen', time[1], 'refresh', ARGV[2], 'address', ARGV[3], 'agent', ARGV[4], 'until', now + ARGV[6])
redis.call('PEXPIRE', KEYS[2], math.min(ARGV[5], ARGV[6]))
redis.call('ZADD', KEYS[3], now, ARGV[1])
for _, id in ipairs(redis.call('ZRANGE', KEYS[3], 0, -1)) do
  if redis.call('EXISTS', ARGV[8] .. id) == 0 then redis.call('ZREM', KEYS[3], id) end
end
local extra = redis.call('ZCARD', KEYS[3]) - ARGV[7]
for _, id in ipairs(extra > 0 and redis.call('ZRANGE', KEYS[3], 0, extra - 1) or {}) do
  redis.call('DEL', ARGV[8] .. id)
  redis.call('ZREM', KEYS[3], id)
end
return 1`

// KEYS: user, session, index. ARGV: session id, grace ms, idle ms, how many hashes the token presented has (one per secret), these
// hashes, then the hashes its successors can have, the one to store first. Returns 0 for no session, -1 for reuse (the session is
// ended), else the number of the successor in force.
const REFRESH_ONCE = `
if redis.call('HGET', KEYS[1], 'disabled') ~= '0' then return 0 end
local held = redis.call('HMGET', KEYS[2], 'refresh', 'previous', 'previous_until', 'until')
if not held[1] then return 0 end
local time = redis.call('TIME')
local now = time[1] * 1000 + math.floor(time[2] / 1000)
local first = 5 + ARGV[4]
for i = 5, first - 1 do
  if held[1] == ARGV[i] then
    redis.call('HSET', KEYS[2], 'refresh', ARGV[first], 'previous', ARGV[i], 'previous_until', now + ARGV[2], 'seen', time[1])
    redis.call('PEXPIRE', KEYS[2], math.max(1, math.min(ARGV[3], held[4] - now)))
    return 1
  end
  if held[2] == ARGV[i] and now < tonumber(held[3]) then
    for next = first, #ARGV do
      if ARGV[next] == held[1] then return next - first + 1 end
    end
  end
end
redis.call('DEL', KEYS[2])
redis.call('ZREM', KEYS[3], ARGV[1])
return -1`

// KEYS: user, index. ARGV: key prefix of sessions, the one that stays, if any, and for a change of the password the stored hash that was
// matched and the one that takes its place. Returns 0, with nothing done, when another hash is stored by now.
const END_ALL = `${WHEN_FULL}
if ARGV[3] then
  if redis.call('HGET', KEYS[1], 'password') ~= ARGV[3] then return 0 end
  redis.call('HSET', KEYS[1], 'password', ARGV[4])
end
for _, id in ipairs(redis.call('ZRANGE', KEYS[2], 0, -1)) do
  if id ~= ARGV[2] then
    redis.call('DEL', ARGV[1] .. id)
    redis.call('ZREM', KEYS[2], id)
  end
end
return 1`

/** Milliseconds: without a refresh, altogether, and for which a predecessor still gets its successor. */
export interface SessionTimes {
  idleMs: number
  absoluteMs: number
  graceMs?: number
}

export function openSessions(redis: Redis, secrets: string, { idleMs, absoluteMs, graceMs = GRACE_MS }: SessionTimes) {
  const open = script(redis, 'open_session', OPEN)
  const endAll = script(redis, 'end_sessions', END_ALL)
  const refreshOnce = script(redis, 'refresh_session', REFRESH_ONCE)
  const stored = openMac(secrets, 'refresh token hash')
  const successor = openMac(secrets, 'refresh token successor')
  const genuine = openMac(secrets, 'refresh token mark')

  const sessionKey = (userId: string, id: string) => heldKey(userId, 'session', id)
  const indexKey = (userId: string) => `sessions:{${userId}}`
  const keys = (userId: string, id: string) => [userKey(userId), sessionKey(userId, id), indexKey(userId)]
  // The mark tells a token that was once given out from a guess, so that only the former can end a session by reuse.
  const token = (userId: string, id: string, secret: string) => `rt_${userId}${id}${secret}${genuine.of(userId + id + secret)}`

  return {
    lives: async (userId: string, id: string) => (await redis.exists(sessionKey(userId, id))) === 1,

    async end(userId: string, id: string) {
      await redis.multi().del(sessionKey(userId, id)).zrem(indexKey(userId), id).exec()
    },

    /** Opens a session; fails when the account was disabled or deleted, or its password changed, since `password` (the hash) was matched. */
    async open(userId: string, password: string, client: Client): Promise<OpenSession> {
      const id = randomBytes(16).toString('hex')
      const secret = randomBytes(32).toString('base64url')
      const args = [
        id,
        stored.of(secret),
        client.address,
        client.agent.slice(0, AGENT_CHARS_MAX),
        idleMs,
        absoluteMs,
        SESSIONS_MAX,
        sessionKey(userId, ''),
        password,
      ]
      if ((await open(keys(userId, id), args)) !== 1) throw failure('invalid_credentials')
      return { user_id: userId, session_id: id, refresh_token: token(userId, id, secret) }
    },

    /** Takes one step. `reused` names a session that was ended because an old token of it came back. */
    async refresh(presented: string): Promise<OpenSession | { reused: { user_id: string; session_id: string } } | undefined> {
      const [, userId, id, secret, mark] = REFRESH.exec(presented) ?? []
      if (!userId || !id || !secret || !mark || !genuine.matches(userId + id + secret, mark)) return undefined
      const presentedHashes = stored.all(secret)
      const next = successor.all(id + secret)
      const nextHashes = next.flatMap(one => stored.all(one))
      const args = [id, graceMs, idleMs, presentedHashes.length, ...presentedHashes, ...nextHashes]
      const step = Number(await refreshOnce(keys(userId, id), args))
      if (step === -1) return { reused: { user_id: userId, session_id: id } }
      const given = next[Math.floor((step - 1) / presentedHashes.length)]
      return given ? { user_id: userId, session_id: id, refresh_token: token(userId, id, given) } : undefined
    },

    /** Ends all sessions of a user. */
    async endAll(userId: string) {
      await endAll([userKey(userId), indexKey(userId)], [sessionKey(userId, ''), ''])
    },

    /**
     * Replaces the stored hash and ends all sessions of a user but the one named, if any, in one step. False, with nothing done, when
     * `before` is no longer the stored one.
     */
    async endWithPassword(userId: string, before: string, after: string, except = ''): Promise<boolean> {
      return (await endAll([userKey(userId), indexKey(userId)], [sessionKey(userId, ''), except, before, after])) === 1
    },

    /** Living sessions, newest first. */
    async list(userId: string): Promise<SessionSeen[]> {
      const ids = await redis.zrange(indexKey(userId), '0', '-1', 'REV')
      const found = await Promise.all(ids.map(async id => ({ id, held: await redis.hgetall(sessionKey(userId, id)) })))
      return found
        .filter(({ held }) => held.created !== undefined)
        .map(({ id, held }) => ({
          id,
          address: held.address ?? '',
          agent: held.agent ?? '',
          created_at: new Date(Number(held.created)).toISOString(),
          last_seen_at: new Date(Number(held.seen) * 1000).toISOString(),
        }))
    },
  }
}
export type Sessions = ReturnType<typeof openSessions>
