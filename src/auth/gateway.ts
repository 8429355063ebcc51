// The rows of the edge that auth answers: is the whole up, what is it made of, which routes are there.
import { failure } from '../platform/errors.ts'
import { version } from '../platform/health.ts'

/** Longest wait for one service to say whether it is ready, in milliseconds. */
const READY_MS_MAX = 300
/** Longest wait for a service's list of routes, in milliseconds. */
const ROUTES_MS_MAX = 2000

export type ServiceUrls = Record<'auth' | 'agent' | 'rag', string>
interface Ready {
  up: boolean
  about: Record<string, string>
}
interface Openapi {
  paths: Record<string, Record<string, { 'x-permission'?: string }>>
}

export function openGateway(urls: ServiceUrls) {
  async function ready(url: string): Promise<Ready> {
    try {
      const reply = await fetch(new URL('/ready', url), { signal: AbortSignal.timeout(READY_MS_MAX) })
      const { about = {} } = (await reply.json()) as { about?: Record<string, string> }
      return { up: reply.ok, about }
    } catch {
      return { up: false, about: {} }
    }
  }

  const all = async () => {
    const [auth, agent, rag] = await Promise.all([ready(urls.auth), ready(urls.agent), ready(urls.rag)])
    return { auth, agent, rag }
  }
  const now = () => ({ timestamp: new Date().toISOString(), version })

  return {
    async health() {
      const { auth, agent, rag } = await all()
      const say = ({ up }: Ready) => (up ? ('up' as const) : ('down' as const))
      const status = auth.up && agent.up && rag.up ? ('healthy' as const) : ('degraded' as const)
      return { status, service: 'gateway' as const, ...now(), services: { auth: say(auth), agent: say(agent), rag: say(rag) } }
    },

    async configuration() {
      const { agent, rag } = await all()
      return {
        version,
        rag_enabled: rag.up,
        databases_enabled: false,
        answerer: agent.about.answerer ?? 'unknown',
        embedding_model: rag.about.embedding_model ?? 'unknown',
        security_features: { rbac_enabled: true, rate_limiting: true, input_validation: true, audit_logging: true },
      }
    },

    /** Every route of every service, as its own OpenAPI document lists it. Throws `unavailable` when one does not answer. */
    async services() {
      const lists = Object.entries(urls).map(async ([name, url]) => {
        const reply = await fetch(new URL('/openapi.json', url), { signal: AbortSignal.timeout(ROUTES_MS_MAX) }).catch(cause => {
          throw failure('unavailable', undefined, { cause })
        })
        return Object.entries(((await reply.json()) as Openapi).paths).flatMap(([path, methods]) =>
          Object.entries(methods).map(([method, operation]) => ({
            name,
            endpoint: /^\/(v1|mcp|\.well-known|docs)(\/|$)/.test(path) ? path : `/${name}${path}`,
            method: method.toUpperCase(),
            permission: operation['x-permission'] ?? 'public',
          })),
        )
      })
      return { services: (await Promise.all(lists)).flat(), ...now() }
    },
  }
}
