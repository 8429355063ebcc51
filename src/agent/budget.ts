// How many tokens of language models one user may use in a day (UTC). What an answer may cost at most is reserved before the model is
// called and settled afterwards, so that used and reserved together never exceed the budget, however many requests come at once. A
// reservation is a lease: when the process that made it dies, it ends by itself. Answers without a model cost nothing.
import { randomUUID } from 'node:crypto'
import { userKey } from '../platform/admission.ts'
import { failure } from '../platform/errors.ts'
import { exceeded } from '../platform/limits.ts'
import { type Redis, script } from '../platform/redis.ts'
import { RUN_MS_MAX } from './runs.ts'
import type { UsageByDay } from './schemas.ts'

/** A lease outlives the longest run, so that none ends while its tokens may still be used; in milliseconds. */
const LEASE_MS = RUN_MS_MAX + 30_000
/** How many days are told, today included. */
const DAYS_KEPT = 30
const DAY_MS = 86_400_000
/** Seconds after which to ask again when what is left is only reserved. */
const SETTLED_S = 5

export interface Lease {
  /** Counts what was used and gives the rest back; once. More than was reserved counts as what was reserved. */
  settle(used: number): Promise<void>
}

// A lease is a member `day:tokens:id` of a set ordered by when it ends. `taken` is what is used and reserved of a day.
const TAKEN = `
local time = redis.call('TIME')
local now = time[1] * 1000 + math.floor(time[2] / 1000)
local today = math.floor(time[1] / 86400)
redis.call('ZREMRANGEBYSCORE', KEYS[2], '-inf', now)
local function taken(day)
  local used, reserved = tonumber(redis.call('HGET', KEYS[1], day) or 0), 0
  for _, lease in ipairs(redis.call('ZRANGE', KEYS[2], 0, -1)) do
    local of, tokens = string.match(lease, '^(%d+):(%d+):')
    if tonumber(of) == day then reserved = reserved + tokens end
  end
  return used, reserved
end`

// KEYS: usage, leases, user. ARGV: tokens, budget, id, lease ms. Returns whether it fits, used, reserved, ms until the day ends, the lease.
const RESERVE = `${TAKEN}
if redis.call('HGET', KEYS[3], 'disabled') ~= '0' then return { -1 } end
local used, reserved = taken(today)
local left = 86400000 - now % 86400000
if used + reserved + ARGV[1] > tonumber(ARGV[2]) then return { 0, used, reserved, left, '' } end
local lease = string.format('%d:%d:%s', today, ARGV[1], ARGV[3])
redis.call('ZADD', KEYS[2], now + ARGV[4], lease)
if redis.call('PTTL', KEYS[2]) < tonumber(ARGV[4]) then redis.call('PEXPIRE', KEYS[2], ARGV[4]) end
return { 1, used, reserved, left, lease }`

// KEYS: usage, leases, user. ARGV: lease, used, budget, days kept. A lease that ran out before (its process was stopped for long) still
// counts, for as much as fits. An erased user gets nothing written.
const SETTLE = `${TAKEN}
local day, tokens = string.match(ARGV[1], '^(%d+):(%d+):')
day = tonumber(day)
local held = redis.call('ZREM', KEYS[2], ARGV[1])
if redis.call('EXISTS', KEYS[3]) == 0 then return 0 end
local used, reserved = taken(day)
local fits = held == 1 and tonumber(tokens) or math.min(tonumber(tokens), math.max(0, ARGV[3] - used - reserved))
local counted = math.min(tonumber(ARGV[2]), fits)
if counted > 0 then redis.call('HINCRBY', KEYS[1], day, counted) end
for _, old in ipairs(redis.call('HKEYS', KEYS[1])) do
  if tonumber(old) <= today - ARGV[4] then redis.call('HDEL', KEYS[1], old) end
end
redis.call('PEXPIRE', KEYS[1], ARGV[4] * 86400000)
return counted`

// KEYS: usage, leases. Returns today, what of it is reserved, then days and what was used in them.
const LOOK = `${TAKEN}
local used, reserved = taken(today)
local reply = { today, reserved }
for _, value in ipairs(redis.call('HGETALL', KEYS[1])) do reply[#reply + 1] = tonumber(value) end
return reply`

export type Budget = ReturnType<typeof openBudget>

/** Opens the budgets; `tokensMax` a user and day, 0 is off: everything is counted and nothing refused. */
export function openBudget(redis: Redis, { tokensMax, leaseMs = LEASE_MS }: { tokensMax: number; leaseMs?: number }) {
  const reserve = script(redis, 'reserve_tokens', RESERVE)
  const settle = script(redis, 'settle_tokens', SETTLE)
  const look = script(redis, 'look_at_tokens', LOOK)
  const bound = tokensMax || Number.MAX_SAFE_INTEGER
  const keys = (userId: string) => [`usage:{${userId}}`, `usage:{${userId}}:leases`, userKey(userId)]

  return {
    /**
     * Reserves `tokens`, an upper bound of what will be used (bytes of the input and the most tokens of output are one). Throws
     * `rate_limited`, with when to ask again, when they do not fit in what is left of the day.
     */
    async reserve(userId: string, tokens: number): Promise<Lease> {
      const args = [Math.ceil(tokens), bound, randomUUID(), leaseMs]
      const [fits, used, , leftMs, lease] = (await reserve(keys(userId), args)) as [number, number, number, number, string]
      if (fits === -1) throw failure('unauthenticated')
      if (fits === 0) {
        const seconds = used + tokens <= bound ? SETTLED_S : Math.ceil(leftMs / 1000)
        const sentence = `This answer may take ${Math.ceil(tokens)} tokens, more than is left of today's budget; ask again in ${seconds} s`
        throw failure('rate_limited', sentence, { headers: exceeded(bound, seconds) })
      }
      let settled: Promise<unknown> | undefined
      return {
        async settle(used) {
          settled ??= settle(keys(userId), [lease, Math.max(0, Math.ceil(used)), bound, DAYS_KEPT])
          await settled
        },
      }
    },

    /** What a user used, the newest day first, and what is left of today. */
    async usage(userId: string): Promise<UsageByDay> {
      const [today = 0, reserved = 0, ...rest] = (await look(keys(userId).slice(0, 2), [])) as number[]
      const days = rest.flatMap((day, at) => (at % 2 === 0 ? [{ day, tokens: rest[at + 1] ?? 0 }] : []))
      const used = days.find(({ day }) => day === today)?.tokens ?? 0
      return {
        tokens_per_day: tokensMax || null,
        used,
        reserved,
        left: tokensMax ? Math.max(0, tokensMax - used - reserved) : null,
        resets_at: new Date((today + 1) * DAY_MS).toISOString(),
        days: days
          .filter(({ day }) => day > today - DAYS_KEPT)
          .toSorted((a, b) => b.day - a.day)
          .map(({ day, tokens }) => ({ date: new Date(day * DAY_MS).toISOString().slice(0, 10), tokens })),
      }
    },

    /** Forgets what a user used. */
    forget: (userId: string) => redis.del(...keys(userId).slice(0, 2)),
  }
}
