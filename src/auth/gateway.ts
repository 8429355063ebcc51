// The rows of the edge that auth answers: what the whole is made of, which routes are there.
import type { ServiceUrls } from '../platform/config.ts'
import { failure } from '../platform/errors.ts'
import { readyAt, version } from '../platform/health.ts'

/** Longest wait for a service's list of routes, in milliseconds. */
const ROUTES_MS_MAX = 2000

interface Openapi {
  paths: Record<string, Record<string, { 'x-permission'?: string }>>
}

export function openGateway(urls: ServiceUrls) {
  return {
    async configuration() {
      const [agent, rag] = await Promise.all([readyAt(urls.agent), readyAt(urls.rag)])
      return {
        version,
        rag_enabled: rag.up,
        databases_enabled: false,
        answerer: agent.about.answerer ?? 'unknown',
        embedding_model: rag.about.embedding_model ?? 'unknown',
        security_features: { rbac_enabled: true, rate_limiting: true, input_validation: true, audit_logging: true },
      }
    },

    /** Every route of every service, as its own OpenAPI document lists it. Throws `unavailable` when one does not give that. */
    async services() {
      const lists = Object.entries(urls).map(([name, url]) => routesAt(name, url))
      return { services: (await Promise.all(lists)).flat(), timestamp: new Date().toISOString(), version }
    },
  }
}

async function routesAt(name: string, url: string) {
  try {
    const reply = await fetch(new URL('/openapi.json', url), { signal: AbortSignal.timeout(ROUTES_MS_MAX) })
    if (!reply.ok) throw new Error(`${name} answers ${reply.status} where its routes should be`)
    return Object.entries(((await reply.json()) as Openapi).paths).flatMap(([path, methods]) =>
      Object.entries(methods).map(([method, operation]) => ({
        name,
        endpoint: /^\/(v1|mcp|\.well-known|docs)(\/|$)/.test(path) ? path : `/${name}${path}`,
        method: method.toUpperCase(),
        permission: operation['x-permission'] ?? 'public',
      })),
    )
  } catch (cause) {
    throw failure('unavailable', undefined, { cause })
  }
}
