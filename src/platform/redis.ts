// The one connection to Redis, the system of record for accounts, sessions, limits and conversations. It never queues while Redis
// is away: a request fails with 503 in under a second and nothing is served on a guess.
import { once } from 'node:events'
import { connect } from 'node:net'
import { setTimeout as wait } from 'node:timers/promises'
import fastifyRedis from '@fastify/redis'
import type { FastifyInstance } from 'fastify'
import type { SharedConfig } from './config.ts'

/** Longest wait for one command, in milliseconds; one may wait for the commands before it and then for itself. */
const COMMAND_MS_MAX = 450
/** Longest pause between two attempts to connect again, in milliseconds. */
const RECONNECT_MS_MAX = 500
/** Longest wait for Redis when a service starts, since both may be starting, and how often to look, in milliseconds. */
const START_MS_MAX = 5000
const LOOK_EVERY_MS = 100
/** Between two looks at whether Redis is an older one, in milliseconds: with that of auth's own, all know within a second. */
const OLDER_EVERY_MS = 500

export type Redis = FastifyInstance['redis']

/** Registers `app.redis`; refuses to start without a server, on one that may drop keys by itself, and in production on one that keeps nothing on disk. */
export async function registerRedis(app: FastifyInstance, config: SharedConfig) {
  const url = config.REDIS_URL ? new URL(config.REDIS_URL) : undefined
  const at = url
    ? { host: url.hostname.replace(/^\[|\]$/g, ''), port: Number(url.port || 6379) }
    : { host: config.REDIS_HOST, port: config.REDIS_PORT }
  await reachable(at.host, at.port)
  await app.register(fastifyRedis, {
    ...(url ? { url: url.href } : at),
    commandTimeout: COMMAND_MS_MAX,
    connectTimeout: COMMAND_MS_MAX,
    maxRetriesPerRequest: 0,
    enableOfflineQueue: false,
    // What is asked in one turn of the loop goes out in one write: a system call costs more than the command.
    enableAutoPipelining: true,
    retryStrategy: (attempt: number) => Math.min(attempt * 50, RECONNECT_MS_MAX),
  })
  app.redis.on('error', error => app.log.warn({ err: error }, 'redis is away'))
  // The plugin says QUIT when the app closes. A Redis that is away takes no leave, and that must not keep anyone from closing.
  const quit = app.redis.quit.bind(app.redis) as () => Promise<'OK'>
  app.redis.quit = async () => {
    await quit().catch(() => app.redis.disconnect())
    return 'OK'
  }
  const info = await app.redis.info()
  const policy = /maxmemory_policy:(\S+)/.exec(info)?.[1]
  if (policy !== 'noeviction') {
    throw new Error(
      `Redis may evict keys (maxmemory-policy ${policy}); set maxmemory-policy noeviction, since accounts and sessions live there`,
    )
  }
  if (!info.includes('aof_enabled:1')) {
    const sentence = 'Redis forgets accounts and sessions when it ends (appendonly no); set appendonly yes and appendfsync always'
    if (config.NODE_ENV === 'production') throw new Error(`${sentence}.`)
    app.log.warn(sentence)
  }
}

/** Waits until something listens there; the client itself would try for ever. */
async function reachable(host: string, port: number) {
  for (const late = Date.now() + START_MS_MAX; ; await wait(LOOK_EVERY_MS)) {
    const socket = connect({ host, port })
    try {
      await once(socket, 'connect', { signal: AbortSignal.timeout(COMMAND_MS_MAX) })
      return
    } catch (cause) {
      if (Date.now() > late) throw new Error(`Redis does not answer at ${host}:${port}; start it first.`, { cause })
    } finally {
      socket.destroy()
    }
  }
}

/** First line of a script that a full Redis runs too: for what has a bound of its own, and without which nobody could make room. */
export const WHEN_FULL = '#!lua flags=allow-oom\n'

/** Makes the function that has a full Redis, too, carry out one command on one key. */
export function openWhenFull(redis: Redis) {
  const call = script(redis, 'call_when_full', `${WHEN_FULL}return redis.call(ARGV[1], KEYS[1], unpack(ARGV, 2))`)
  return async (command: string, key: string, ...args: (string | number)[]) => call([key], [command, ...args])
}

/** Stands in a Redis that has lost what it once held. What was ended there may look alive, so no service takes its word for anything. */
const OLDER = '{redis}:older'

/** Tells every service that this Redis is an older one. */
export const markOlder = async (redis: Redis) => void (await openWhenFull(redis)('SET', OLDER, '1'))

/** Takes that back; for whoever has seen that nothing is lost. */
export const unmarkOlder = async (redis: Redis) => void (await redis.del(OLDER))

export const isOlder = async (redis: Redis) => (await redis.exists(OLDER)) === 1

/** Looks whether it is, now and until `app` closes; gives a function that says what was seen last. */
export async function watchOlder(app: FastifyInstance): Promise<() => boolean> {
  let older = await isOlder(app.redis)
  const look = () =>
    isOlder(app.redis).then(
      found => {
        older = found
      },
      () => {}, // Redis is away, which every request finds out by itself
    )
  const timer = setInterval(look, OLDER_EVERY_MS)
  app.addHook('preClose', async () => clearInterval(timer))
  return () => older
}

/** Gives a Lua script a name on the connection. Every key of one call must carry the same `{tag}`, so that a cluster can run it. */
export function script(redis: Redis, name: string, lua: string) {
  redis.defineCommand(name, { lua })
  const command = (redis as unknown as Record<string, (...words: (string | number)[]) => Promise<unknown>>)[name]
  return (keys: string[], args: (string | number)[]) => command?.call(redis, keys.length, ...keys, ...args)
}
