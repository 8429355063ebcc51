// Which parts a stack has and with which values: the one place where ports, folders and secrets become the variables of the services
// and the values of the edge.
import { join, resolve } from 'node:path'
import type { Settings } from './environment.ts'
import { type EnvoyValues, envoyPart } from './envoy.ts'
import type { PartPlan } from './part.ts'
import type { Ports } from './ports.ts'
import { redisPart, redisUrl } from './redis.ts'
import { servicePart } from './services.ts'
import { tlsPair } from './tls.ts'

/** The checkout: code, run/venv and run/models are shared by every stack. */
export const root = resolve(import.meta.dirname, '..')

const HOST = '127.0.0.1'

/** Is the stack to start a Redis of its own? Only when no other is named. */
const ownRedis = (settings: Settings) => !settings.REDIS_URL && !settings.REDIS_HOST

/** The settings with everything this stack decides itself: services on loopback, and where they find each other, Redis and the weights. */
export function inForce(settings: Settings, ports: Ports): Settings {
  const { REDIS_URL, REDIS_HOST, REDIS_PORT = '6379', REDIS_PASSWORD = '' } = settings
  return {
    ...settings,
    HOST,
    // The stack has one replica of each and ends the edge first: nobody is left to be told.
    STOP_NOTICE_S: settings.STOP_NOTICE_S ?? '0',
    GATEWAY_PORT: String(ports.gateway),
    AUTH_SERVICE_PORT: String(ports.auth),
    AGENT_SERVICE_PORT: String(ports.agent),
    RAG_SERVICE_PORT: String(ports.rag),
    AUTH_SERVICE_URL: `http://${HOST}:${ports.auth}`,
    AGENT_SERVICE_URL: `http://${HOST}:${ports.agent}`,
    RAG_SERVICE_URL: `http://${HOST}:${ports.rag}`,
    RAG_MODELS_DIR: settings.RAG_MODELS_DIR ?? join(root, 'run', 'models'),
    REDIS_URL:
      REDIS_URL ??
      (ownRedis(settings) ? redisUrl({ port: ports.redis, password: REDIS_PASSWORD }) : `redis://${REDIS_HOST}:${REDIS_PORT}`),
  }
}

/** The plans of every part; `settings` as they were given, `env` as they are in force. */
export function planStack(dir: string, ports: Ports, settings: Settings, env: Settings): PartPlan[] {
  const { REDIS_PASSWORD: password = '' } = settings
  const edge = async (): Promise<EnvoyValues> => ({
    GATEWAY_HOST: settings.GATEWAY_HOST ?? HOST,
    GATEWAY_PORT: ports.gateway,
    GATEWAY_TLS_HOST: settings.GATEWAY_TLS_HOST ?? HOST,
    GATEWAY_TLS_PORT: ports.tls,
    ...(await tlsPair(dir, settings)),
    TRUSTED_HOPS: settings.TRUSTED_HOPS ?? 0,
    ADMIN_PORT: ports.admin,
    AUTH_HOST: HOST,
    AUTH_PORT: ports.auth,
    AGENT_HOST: HOST,
    AGENT_PORT: ports.agent,
    RAG_HOST: HOST,
    RAG_PORT: ports.rag,
    JWKS_CACHE_S: settings.JWKS_CACHE_S ?? 600,
  })
  return [
    ...(ownRedis(settings) ? [redisPart({ dir, port: ports.redis, password })] : []),
    servicePart('auth', ports.auth, dir, env),
    servicePart('agent', ports.agent, dir, env),
    servicePart('rag', ports.rag, dir, env),
    envoyPart(ports.admin, edge, join(dir, 'run', 'envoy')),
  ]
}
