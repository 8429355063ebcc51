// Runs: what became of a question, and every event on the way, kept in Redis for a while so that any replica can show or resume them,
// also after a restart. A run ends exactly once; one whose process died is ended by whoever looks at it next.
import { EventEmitter } from 'node:events'
import { userKey } from '../platform/admission.ts'
import { failure } from '../platform/errors.ts'
import { type Redis, script, WHEN_FULL } from '../platform/redis.ts'
import { type Ending, endingWithout } from './endings.ts'

/** How long a run and its events are kept after it ended, in milliseconds. */
const KEPT_MS = 15 * 60_000
/** Longest run, in milliseconds. */
export const RUN_MS_MAX = 120_000
/** From its begin on, a run is gone after this, in milliseconds. */
export const HELD_MS = RUN_MS_MAX + KEPT_MS
/** A run whose process has not renewed it for this long has died with it, in milliseconds. */
const LEASE_MS = 10_000
/** Runs kept of one user; of those that have ended the oldest goes first. */
const RUNS_KEPT = 200
/** Events kept of one run, and read at one look. */
const EVENTS_MAX = 10_000
const EVENTS_AT_ONCE = 100

type RunState = 'running' | Ending['state']

/** One event as kept. `data` is empty in the last one, which is told from how the run ended. */
export interface RunEvent {
  id: string
  event: string
  data: string
}

/** An event to be kept, and the documents it holds something of. */
export interface Told {
  event: string
  data: object
  documents: string[]
}

export interface Run {
  run_id: string
  state: RunState
  conversation_id: string
  question: string
  /** Only once it has ended. */
  ending?: Ending
}

const NOW = `
local time = redis.call('TIME')
local now = time[1] * 1000 + math.floor(time[2] / 1000)`

// KEYS: user, run, events, index. ARGV: conversation, question, lease ms, held ms, first event, id.
const BEGIN = `${NOW}
if redis.call('HGET', KEYS[1], 'disabled') ~= '0' then return 0 end
redis.call('HSET', KEYS[2], 'state', 'running', 'conversation', ARGV[1], 'question', ARGV[2], 'until', now + ARGV[3])
redis.call('XADD', KEYS[3], '*', 'event', 'run', 'data', ARGV[5])
redis.call('PEXPIRE', KEYS[2], ARGV[4])
redis.call('PEXPIRE', KEYS[3], ARGV[4])
redis.call('ZREMRANGEBYSCORE', KEYS[4], '-inf', now - ARGV[4])
redis.call('ZADD', KEYS[4], now, ARGV[6])
redis.call('PEXPIRE', KEYS[4], ARGV[4])
return 1`

// KEYS: events. ARGV: most events, then of each its name, its data and the documents it holds something of. Nothing is told of a run that
// was not begun or has been forgotten: it would stay for ever.
const TELL = `
if redis.call('EXISTS', KEYS[1]) == 0 then return 0 end
for i = 2, #ARGV, 3 do
  redis.call('XADD', KEYS[1], 'MAXLEN', '~', ARGV[1], '*', 'event', ARGV[i], 'data', ARGV[i + 1], 'documents', ARGV[i + 2])
end
return 1`

// KEYS: run. ARGV: lease ms. Returns 1 when the run goes on, 0 when it was asked to stop or has ended.
const RENEW = `${NOW}
local held = redis.call('HMGET', KEYS[1], 'state', 'cancel')
if held[1] ~= 'running' or held[2] then return 0 end
redis.call('HSET', KEYS[1], 'until', now + ARGV[1])
return 1`

// KEYS: run, events. ARGV: state, ending, kept ms.
const FINISH = `
local function finish()
  redis.call('HSET', KEYS[1], 'state', ARGV[1], 'ending', ARGV[2])
  redis.call('XADD', KEYS[2], '*', 'event', ARGV[1], 'data', '')
  redis.call('PEXPIRE', KEYS[1], ARGV[3])
  redis.call('PEXPIRE', KEYS[2], ARGV[3])
end`

// As FINISH. Returns 1 when this call ended the run.
const END = `${FINISH}
if redis.call('HGET', KEYS[1], 'state') ~= 'running' then return 0 end
finish()
return 1`

// As FINISH: how the run is ended when its lease ran out. Returns its fields.
const LOOK = `${NOW}${FINISH}
local held = redis.call('HMGET', KEYS[1], 'state', 'until')
if held[1] == 'running' and now > tonumber(held[2]) then finish() end
return redis.call('HGETALL', KEYS[1])`

// KEYS: run. Returns 1 when a running run was asked to stop, 0 when it has ended, -1 when there is none.
const CANCEL = `${WHEN_FULL}
local state = redis.call('HGET', KEYS[1], 'state')
if not state then return -1 end
if state ~= 'running' then return 0 end
redis.call('HSET', KEYS[1], 'cancel', '1')
return 1`

// KEYS: run. ARGV: ending as it was, as it is to be.
const REPLACE = `${WHEN_FULL}
if redis.call('HGET', KEYS[1], 'ending') ~= ARGV[1] then return 0 end
redis.call('HSET', KEYS[1], 'ending', ARGV[2])
return 1`

export type Runs = ReturnType<typeof openRuns>

export function openRuns(redis: Redis) {
  const begin = script(redis, 'begin_run', BEGIN)
  const tell = script(redis, 'tell_run', TELL)
  const renew = script(redis, 'renew_run', RENEW)
  const end = script(redis, 'end_run', END)
  const look = script(redis, 'look_at_run', LOOK)
  const cancel = script(redis, 'cancel_run', CANCEL)
  const replace = script(redis, 'replace_ending', REPLACE)
  const key = (userId: string, id: string) => `run:{${userId}}:${id}`
  const eventsKey = (userId: string, id: string) => `${key(userId, id)}:events`
  const indexKey = (userId: string) => `runs:{${userId}}`
  /** Wakes the streams of this process without waiting for their next look. */
  const news = new EventEmitter().setMaxListeners(0)
  /** The runs that this process carries out, whose news all pass here. */
  const here = new Set<string>()
  const lost: Ending = { state: 'error', code: 'unavailable', usage: { input_tokens: 0, output_tokens: 0 } }

  const keysOf = (userId: string, id: string) => [key(userId, id), eventsKey(userId, id)]
  /** Lets go of a run, unless it goes on. */
  async function drop(userId: string, id: string) {
    if ((await redis.hget(key(userId, id), 'state')) === 'running') return
    await Promise.all([redis.del(...keysOf(userId, id)), redis.zrem(indexKey(userId), id)])
  }
  const finished = (ending: Ending) => [ending.state, JSON.stringify(ending), KEPT_MS]

  return {
    /** Writes a run down, with its first event. Throws when the account has gone. */
    async begin(userId: string, id: string, conversationId: string, question: string) {
      here.add(id)
      const first = JSON.stringify({ run_id: id, conversation_id: conversationId })
      const keys = [userKey(userId), key(userId, id), eventsKey(userId, id), indexKey(userId)]
      const begun = begin(keys, [conversationId, question, LEASE_MS, HELD_MS, first, id])
      const [state, surplus] = await Promise.all([begun, redis.zrange(indexKey(userId), '0', String(-RUNS_KEPT - 1))])
      if (state !== 1) throw failure('unauthenticated')
      await Promise.all(surplus.map(one => drop(userId, one)))
    },

    /** Whether this process carries a run out: then whoever listens is told all there is. */
    isHere: (id: string) => here.has(id),

    /** Keeps events, in their order. */
    async tell(userId: string, id: string, events: Told[]) {
      const fields = events.flatMap(({ event, data, documents }) => [event, JSON.stringify(data), documents.join(',')])
      await tell([eventsKey(userId, id)], [EVENTS_MAX, ...fields])
      news.emit(id)
    },

    /** Says that the run's process lives; false when the run was asked to stop. */
    renew: async (userId: string, id: string) => (await renew([key(userId, id)], [LEASE_MS])) === 1,

    /** Ends a run; false when it had ended before. */
    async end(userId: string, id: string, ending: Ending) {
      here.delete(id)
      const ended = (await end(keysOf(userId, id), finished(ending))) === 1
      if (ended) news.emit(id)
      return ended
    },

    /** Asks a run to stop, wherever it goes on. Nothing happens to one that has ended; absent and another's are 404. */
    async cancel(userId: string, id: string) {
      if ((await cancel([key(userId, id)], [])) === -1) throw failure('not_found')
      news.emit(`${id} cancel`)
    },

    /** The run, ended if its process has died; absent and another's are 404. */
    async one(userId: string, id: string): Promise<Run> {
      const fields = (await look(keysOf(userId, id), finished(lost))) as string[]
      const { state, conversation, question, ending } = Object.fromEntries(
        fields.flatMap((name, at) => (at % 2 === 0 ? [[name, fields[at + 1]]] : [])),
      ) as Record<string, string | undefined>
      if (!state || conversation === undefined || question === undefined) throw failure('not_found')
      const known = { run_id: id, state: state as RunState, conversation_id: conversation, question }
      return ending ? { ...known, ending: JSON.parse(ending) as Ending } : known
    },

    /** The next events after the one with id `after` (all, from `-`); at most a hundred. */
    async events(userId: string, id: string, after: string): Promise<RunEvent[]> {
      const from = after === '-' ? after : `(${after}`
      const entries = await redis.xrange(eventsKey(userId, id), from, '+', 'COUNT', EVENTS_AT_ONCE)
      return entries.map(([entry, [, event = '', , data = '']]) => ({ id: entry, event, data }))
    },

    /** Takes what came from a document out of a run: events that carry some of it, and what its answer quoted. */
    async forget(userId: string, id: string, documentId: string) {
      for (const [entry, fields] of await redis.xrange(eventsKey(userId, id), '-', '+')) {
        if (fields[5]?.split(',').includes(documentId)) await redis.xdel(eventsKey(userId, id), entry)
      }
      for (;;) {
        const was = await redis.hget(key(userId, id), 'ending')
        if (!was) return
        const ending = endingWithout(JSON.parse(was) as Ending, documentId)
        if ((await replace([key(userId, id)], [was, JSON.stringify(ending)])) === 1) return
      }
    },

    /** Deletes all runs of a user. */
    async forgetAll(userId: string) {
      const ids = await redis.zrange(indexKey(userId), '0', '-1')
      await redis.del(indexKey(userId), ...ids.flatMap(id => [key(userId, id), eventsKey(userId, id)]))
    },

    /** Listens to a run in this process until `close`, also between two waits; `about` narrows it to requests to stop. */
    listen(id: string, about: 'events' | 'cancel' = 'events') {
      const name = about === 'cancel' ? `${id} cancel` : id
      let hasRung = false
      let wake = () => {}
      const ring = () => {
        hasRung = true
        wake()
      }
      news.on(name, ring)
      return {
        /** Resolves once there has been news since the last wait, or `signal` is aborted; after `msMax` at the latest. */
        async wait(msMax: number, signal: AbortSignal) {
          if (!hasRung && !signal.aborted) {
            await new Promise<void>(resolve => {
              wake = () => {
                clearTimeout(timer)
                signal.removeEventListener('abort', wake)
                resolve()
              }
              const timer = setTimeout(wake, msMax)
              signal.addEventListener('abort', wake)
            })
          }
          hasRung = false
        },
        close: () => void news.off(name, ring),
      }
    },
  }
}
