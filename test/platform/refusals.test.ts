// What a service answers from the moment it is told to close, on a connection that is still open, and what auth answers where another
// service's list of routes cannot be used: the one failure body, like everybody else.
import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'
import t from 'tap'
import Type from 'typebox'
import { loadConfig, shared } from '../../src/platform/config.ts'
import { buildService } from '../../src/platform/service.ts'
import { house } from '../auth/house.ts'

t.test('from the moment a service closes it refuses in the house body what still comes, and ends what is under way', async t => {
  const { env } = await house(t)
  const [closing, kept] = [Promise.withResolvers<void>(), Promise.withResolvers<void>()]
  const app = await buildService({
    name: 'agent',
    config: loadConfig(Type.Object(shared), env),
    keys: () => ({ publicKey: async () => undefined, genuine: async () => false, close: () => {} }),
    async plugin(app) {
      const arrived = Promise.withResolvers<void>()
      app.get('/slow', { config: { access: 'public' } }, async () => {
        arrived.resolve()
        await kept.promise
        return { slow: true }
      })
      app.get('/arrived', { config: { access: 'public' } }, async () => void (await arrived.promise))
      app.addHook('preClose', async () => {
        closing.resolve()
        await kept.promise
      })
    },
  })
  t.teardown(() => app.close())
  const url = await app.listen({ host: '127.0.0.1', port: 0 })
  const slow = fetch(`${url}/slow`)
  await fetch(`${url}/arrived`)
  const closed = app.close()
  await closing.promise
  for (const path of ['/arrived', '/nothing', '/health', '/ready']) {
    const reply = await fetch(`${url}${path}`, { headers: { 'x-request-id': 'mine' } })
    t.equal(reply.status, 503, path)
    t.equal(reply.headers.get('retry-after'), '1')
    t.match(await reply.json(), { code: 'unavailable', message: String, error: String, request_id: 'mine' })
  }
  kept.resolve()
  t.same(await (await slow).json(), { slow: true })
  await closed
})

t.test('where the routes of a service cannot be read, the list of all is unavailable', async t => {
  const answers: [string, number, string][] = [
    ['an error in the house body', 503, '{"code":"unavailable"}'],
    ['a page of some proxy', 200, '<html></html>'],
    ['nothing', 200, ''],
    ['JSON of another shape', 200, '[]'],
    ['JSON of another shape within', 200, '{"paths":{"/x":null}}'],
    ['a body that breaks off', 200, 'cut'],
  ]
  let [status, body] = [200, '{"paths":{"/x":{"get":{}}}}']
  const server = createServer((_request, reply) => {
    if (body !== 'cut') return reply.writeHead(status).end(body)
    reply.writeHead(status, { 'content-length': 100 }).write('{', () => reply.destroy())
  })
  await new Promise<void>(resolve => server.listen(0, '127.0.0.1', resolve))
  t.teardown(() => server.close())
  const { port } = server.address() as AddressInfo
  const url = `http://127.0.0.1:${port}`
  const { admin } = await house(t, { AUTH_SERVICE_URL: url, AGENT_SERVICE_URL: url, RAG_SERVICE_URL: url })
  t.match(await admin.ask('GET', '/gateway/services'), { status: 200, body: { services: { length: 3 } } })
  for (const [what, ...answer] of answers) {
    const refused = { status: 503, body: { code: 'unavailable' }, headers: { 'retry-after': '1' } }
    ;[status, body] = answer
    t.match(await admin.ask('GET', '/gateway/services'), refused, what)
  }
})
