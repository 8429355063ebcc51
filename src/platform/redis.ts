// The one connection to Redis, the system of record for accounts, sessions, limits and conversations. It never queues while Redis
// is away: a request fails with 503 in under a second and nothing is served on a guess.
import fastifyRedis from '@fastify/redis'
import type { FastifyInstance } from 'fastify'
import type { SharedConfig } from './config.ts'

/** Longest wait for one command, in milliseconds. */
const COMMAND_MS_MAX = 500
/** Longest pause between two attempts to connect again, in milliseconds. */
const RECONNECT_MS_MAX = 500

export type Redis = FastifyInstance['redis']

/** Registers `app.redis` and refuses a server that may drop keys by itself. */
export async function registerRedis(app: FastifyInstance, config: SharedConfig) {
  await app.register(fastifyRedis, {
    ...(config.REDIS_URL ? { url: config.REDIS_URL } : { host: config.REDIS_HOST, port: config.REDIS_PORT }),
    commandTimeout: COMMAND_MS_MAX,
    connectTimeout: COMMAND_MS_MAX,
    maxRetriesPerRequest: 0,
    enableOfflineQueue: false,
    retryStrategy: (attempt: number) => Math.min(attempt * 50, RECONNECT_MS_MAX),
  })
  app.redis.on('error', error => app.log.warn({ err: error }, 'redis is away'))
  const info = await app.redis.info('memory')
  const policy = /maxmemory_policy:(\S+)/.exec(info)?.[1]
  if (policy !== 'noeviction') {
    throw new Error(
      `Redis may evict keys (maxmemory-policy ${policy}); set maxmemory-policy noeviction, since accounts and sessions live there`,
    )
  }
}

/** Gives a Lua script a name on the connection. Every key of one call must carry the same `{tag}`, so that a cluster can run it. */
export function script(redis: Redis, name: string, lua: string) {
  redis.defineCommand(name, { lua })
  const command = (redis as unknown as Record<string, (...words: (string | number)[]) => Promise<unknown>>)[name]
  return (keys: string[], args: (string | number)[]) => command?.call(redis, keys.length, ...keys, ...args)
}
