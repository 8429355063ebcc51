// Prometheus metrics of one service at `/metrics`, on its private port only: how many requests, how long, and the process itself.
import type { FastifyInstance } from 'fastify'
import { collectDefaultMetrics, Histogram, Registry } from 'prom-client'

declare module 'fastify' {
  interface FastifyInstance {
    /** Where a service adds metrics of its own. */
    metrics: Registry
  }
}

/** Registers the registry, the request histogram (seconds) and the route. Labels are route patterns, never addresses. */
export function registerMetrics(app: FastifyInstance) {
  const registry = new Registry()
  collectDefaultMetrics({ register: registry })
  const seconds = new Histogram({
    name: 'http_request_duration_seconds',
    help: 'Time from request to reply',
    labelNames: ['method', 'route', 'status'],
    buckets: [0.002, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 10, 60],
    registers: [registry],
  })
  app.decorate('metrics', registry)
  app.addHook('onResponse', async (request, reply) => {
    const route = request.routeOptions.url ?? 'none'
    seconds.observe({ method: request.method, route, status: reply.statusCode }, reply.elapsedTime / 1000)
    if (request.routeOptions.config.unlimited) return
    const { method, caller } = request
    request.log.info(
      { method, route, status: reply.statusCode, ms: Math.round(reply.elapsedTime), user_id: caller?.user_id },
      'request',
    )
  })
  app.get('/metrics', { config: { access: 'public', unlimited: true }, schema: { hide: true } }, async (_request, reply) => {
    reply.type(registry.contentType)
    return registry.metrics()
  })
}
