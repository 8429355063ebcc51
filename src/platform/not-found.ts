// What no route takes: 404, or 405 with `Allow` where the address exists for another method. Counted like any other request.
import type { FastifyInstance } from 'fastify'
import { failure } from './errors.ts'

/** Registers the handler; it knows the routes declared after it. */
export function registerNotFound(app: FastifyInstance) {
  const addresses = new Map<string, { pattern: URLPattern; methods: Set<string> }>()
  app.addHook('onRoute', ({ url, method }) => {
    const known = addresses.get(url) ?? { pattern: new URLPattern({ pathname: url.replace(/\*$/, '(.*)') }), methods: new Set() }
    for (const one of [method].flat()) known.methods.add(one)
    addresses.set(url, known)
  })
  app.setNotFoundHandler({ preHandler: app.rateLimit() }, (request, reply) => {
    const [pathname = '/'] = request.url.split('?')
    const allowed = new Set<string>()
    for (const { pattern, methods } of addresses.values()) {
      if (pattern.test({ pathname })) for (const method of methods) allowed.add(method)
    }
    if (allowed.size === 0) throw failure('not_found')
    reply.header('allow', [...allowed].join(', '))
    throw failure('method_not_allowed')
  })
}
