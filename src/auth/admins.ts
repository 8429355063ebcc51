// The list of enabled admins, and the promise that it never becomes empty: whoever changes a role or a standing does so alone.
import { randomUUID } from 'node:crypto'
import { setTimeout as wait } from 'node:timers/promises'
import { failure } from '../platform/errors.ts'
import { openWhenFull, type Redis, script } from '../platform/redis.ts'
import { openDelete } from './fields.ts'

const ADMINS = '{users}:admins'
const TURN = '{users}:turn'
/** Longest time one change may take, in milliseconds: more than all its commands at their longest. */
const TURN_MS = 5000
/** Longest wait for one's turn, and how often to look, in milliseconds. */
const WAIT_MS_MAX = 2000
const LOOK_EVERY_MS = 10

/** Takes an admin off the list unless it is the last one on it. */
const LEAVE = `
if redis.call('SISMEMBER', KEYS[1], ARGV[1]) == 0 then return 1 end
if redis.call('SCARD', KEYS[1]) == 1 then return 0 end
return redis.call('SREM', KEYS[1], ARGV[1])`

export function openAdmins(redis: Redis) {
  const leave = script(redis, 'leave_admins', LEAVE)
  const endTurn = openDelete(redis)
  const whenFull = openWhenFull(redis)

  return {
    any: async () => (await redis.scard(ADMINS)) > 0,

    join: async (userId: string) => void (await redis.sadd(ADMINS, userId)),

    /** Takes a user off the list, if on it. Throws `conflict` for the last one. */
    async leave(userId: string) {
      if ((await leave([ADMINS], [userId])) === 0)
        throw failure('conflict', 'This is the last admin; make another user an admin first')
    },

    /** Runs `work` while no replica runs another. Throws `unavailable` when its turn does not come. */
    async alone<T>(work: () => Promise<T>): Promise<T> {
      const me = randomUUID()
      const late = Date.now() + WAIT_MS_MAX
      while ((await whenFull('SET', TURN, me, 'PX', TURN_MS, 'NX')) === null) {
        if (Date.now() > late) throw failure('unavailable')
        await wait(LOOK_EVERY_MS)
      }
      try {
        return await work()
      } finally {
        // One that cannot be given back ends by itself; what was done in it is done.
        await endTurn(TURN, me).catch(() => {})
      }
    },
  }
}
