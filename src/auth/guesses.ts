// Guessing a password is made slow, without letting anyone lock the owner out: failures count by canonical name, existing or not,
// and an address the name has signed in from before is counted on its own.
import { setTimeout as wait } from 'node:timers/promises'
import { failure } from '../platform/errors.ts'
import { exceeded } from '../platform/limits.ts'
import { type Redis, script } from '../platform/redis.ts'
import { canonicalName } from './usernames.ts'

/** Failures that only slow the answer down, before a name is locked. */
const SLOWED_MAX = 5
const SLOW_MS = 100
/** The first lock, doubled by every further failure up to the longest, in seconds. */
const LOCK_S = 2
const LOCK_S_MAX = 900
/** How long the failures of a name that was locked are remembered, in milliseconds. */
const REMEMBERED_MS = 86_400_000
/**
 * And those of one that never was, in milliseconds: names nobody has can be tried without end, and Redis would hold them all. Who waits for
 * it gets five guesses an hour, hardly more than the longest lock leaves.
 */
const TRIED_MS = 3_600_000
/** Addresses remembered per name, the most recent ones, in milliseconds after their last success. */
const KNOWN_MAX = 20
const KNOWN_MS = 90 * REMEMBERED_MS
const MINUTE_MS = 60_000

// KEYS: known addresses, and per side (anyone, then this address) attempts and failures. ARGV: address, minute ms.
// Returns which side counts (0 anyone, 1 a known address), attempts used, ms until they reset, ms the lock still lasts.
const ATTEMPT = `
local side = redis.call('ZSCORE', KEYS[1], ARGV[1]) and 1 or 0
local attempts, failures = KEYS[2 + 2 * side], KEYS[3 + 2 * side]
local time = redis.call('TIME')
local now = time[1] * 1000 + math.floor(time[2] / 1000)
local locked = tonumber(redis.call('HGET', failures, 'locked_until') or 0) - now
if locked > 0 then return { side, 0, 0, locked } end
local used = redis.call('INCR', attempts)
if used == 1 then redis.call('PEXPIRE', attempts, ARGV[2]) end
return { side, used, redis.call('PTTL', attempts), 0 }`

// KEYS: failures. ARGV: failures before the first lock, its length in s, the longest, remembered ms after a lock and
// before the first. Returns the count of failures.
const FAILED = `
local count = redis.call('HINCRBY', KEYS[1], 'count', 1)
local over = count - ARGV[1]
if over > 0 then
  local time = redis.call('TIME')
  local lock = math.min(ARGV[2] * 2 ^ math.min(over - 1, 20), ARGV[3])
  redis.call('HSET', KEYS[1], 'locked_until', time[1] * 1000 + math.floor(time[2] / 1000) + lock * 1000)
end
redis.call('PEXPIRE', KEYS[1], over > 0 and ARGV[4] or ARGV[5])
return count`

export interface Attempt {
  succeeded(): Promise<void>
  /** Slows the answer that follows, until the lock does. */
  failed(): Promise<void>
}

/** `perMinute` bounds attempts on one name; 0 is off. */
export function openGuesses(redis: Redis, perMinute: number) {
  const attempt = script(redis, 'attempt_login', ATTEMPT)
  const failed = script(redis, 'failed_login', FAILED)

  return {
    /** Counts an attempt before the password is looked at. Throws `locked` or `rate_limited`, both with `Retry-After`. */
    async attempt(username: string, address: string): Promise<Attempt> {
      const tag = `{name:${canonicalName(username)}}`
      const sides = [`login:${tag}`, `login:${tag}:${address}`]
      const known = `login:${tag}:known`
      const keys = [known, ...sides.flatMap(side => [`${side}:attempts`, `${side}:failures`])]
      const [side = 0, used = 0, resetMs = 0, lockedMs = 0] = (await attempt(keys, [address, MINUTE_MS])) as number[]
      const seconds = (ms: number) => Math.max(1, Math.ceil(ms / 1000))
      if (lockedMs > 0) throw failure('locked', undefined, { headers: { 'retry-after': seconds(lockedMs) } })
      if (perMinute > 0 && used > perMinute)
        throw failure('rate_limited', undefined, { headers: exceeded(perMinute, seconds(resetMs)) })
      const failures = `${sides[side]}:failures`
      return {
        async succeeded() {
          await redis
            .multi()
            .del(failures)
            .zadd(known, Date.now(), address)
            .zremrangebyrank(known, 0, -KNOWN_MAX - 1)
            .pexpire(known, KNOWN_MS)
            .exec()
        },
        async failed() {
          const count = Number(await failed([failures], [SLOWED_MAX, LOCK_S, LOCK_S_MAX, REMEMBERED_MS, TRIED_MS]))
          if (count <= SLOWED_MAX) await wait(SLOW_MS * 2 ** (count - 1))
        },
      }
    },
  }
}
export type Guesses = ReturnType<typeof openGuesses>
