// Every public path of the HTTP contract reaches its service under the path that service knows, in both spellings; nothing else exists.
import t from 'tap'
import { startEdge } from './edge.ts'
import type { Service } from './envoy.ts'
import { isFailure } from './refusals.ts'

const edge = await startEdge(t)

/** Paths under a prefix, as the service behind it knows them. */
const known: Record<Service, string> = {
  auth: `/register /login /refresh /validate /logout /me /me/password /sessions /sessions/s1 /api-keys /api-keys/k1 /invites
    /users /users/u_1-A /audit /audit/verify /audit/head /health /ready /openapi.json /.well-known/jwks.json`,
  agent: `/query /runs/r1 /runs/r1/events /conversations /conversations/c1 /tools /usage /status /health /ready /openapi.json`,
  rag: `/documents /documents/d1 /documents/d1/text /documents/d1/content /documents/d1/retry /jobs/j1 /jobs/j1/events /erasures/e1
    /search /retrieve /lookup /query /ingest /collections /collections/c1 /collections/c1/grants/u1 /evaluations /evaluations/e1
    /admin/reindex /admin/snapshot /admin/index /status /health /ready /openapi.json`,
}

/** A public path, the service that answers it, and the path that service is asked for. */
type Row = [path: string, service: Service, asked: string]
const rows: Row[] = [
  ['/health', 'auth', '/gateway/health'],
  ['/api/health', 'auth', '/gateway/health'],
  ['/api/config', 'auth', '/gateway/config'],
  ['/api/services', 'auth', '/gateway/services'],
  ['/.well-known/jwks.json', 'auth', '/.well-known/jwks.json'],
  ['/docs', 'auth', '/docs'],
  ['/docs/', 'auth', '/docs/'],
  ['/docs/static/swagger-ui.css', 'auth', '/docs/static/swagger-ui.css'],
  ['/v1/chat/completions', 'agent', '/v1/chat/completions'],
  ['/v1/models', 'agent', '/v1/models'],
  ['/v1/embeddings', 'rag', '/v1/embeddings'],
  ['/mcp', 'agent', '/mcp'],
]
for (const service of ['auth', 'agent', 'rag'] as const) {
  for (const path of known[service].split(/\s+/))
    rows.push([`/${service}${path}`, service, path], [`/api/${service}${path}`, service, path])
}

/** What reached the services, in a few words each. */
const heard = () => edge.heard().map(({ service, method, url }) => `${service} ${method} ${url}`)

t.test('every listed path reaches its service under the path that service knows, with its query as it was sent', async t => {
  heard()
  for (const [path, service, asked] of rows) {
    const { status } = await edge.askAs('admin', `${path}?a=b%2Fc&d=%C3%A9&e=//`)
    t.strictSame([status, heard()], [200, [`${service} GET ${asked}?a=b%2Fc&d=%C3%A9&e=//`]], path)
  }
})

/** What anybody may ask. */
const open =
  /^(\/api)?(\/(auth|agent|rag))?\/(register|login|refresh|validate|health|ready|openapi\.json|\.well-known\/jwks\.json|docs(\/.*)?)$/

t.test('every other path wants a token, and no service hears of it without one', async t => {
  heard()
  const closed = rows.map(([path]) => path).filter(path => !open.test(path))
  t.ok(closed.length > rows.length / 2)
  for (const path of closed) {
    for (const method of ['GET', 'POST']) isFailure(t, await edge.ask(path, { method }), 'unauthenticated', `${method} ${path}`)
  }
  t.strictSame(heard(), [])
})

t.test('a path with dots and double slashes is made plain before it is matched, and only that reaches its service', async t => {
  heard()
  for (const path of ['/agent/./status', '/rag/../agent/status', '/agent//status', '//agent/status', '/rag/..//agent/./status']) {
    t.strictSame([(await edge.askAs('user', path)).status, heard()], [200, ['agent GET /status']], path)
  }
})

t.test('a path that is not listed is 404 in the failure body, with a token and without, and no service hears of it', async t => {
  heard()
  const unlisted = `/ /api /auth /auth/ /auth/login/ /AUTH/login /auth/metrics /metrics /ready /openapi.json /gateway/health /auth/gateway/health
    /auth/gateway/config /api/v1/models /api/mcp /v1/ /v1/models/x /agent/mcp /agent/v1/models /rag/v1/embeddings /rag/documents/a/b
    /rag/documents/d1/text/x /rag/documents/ /rag/admin /rag/admin/ /auth/users/u1/x /auth/login;x /auth/login%20 /docsx
    /api/api/auth/login /.env /favicon.ico /auth/sessions/ä /rag/jobs/%C3%A4 /*`
  for (const path of unlisted.split(/\s+/)) {
    isFailure(t, await edge.ask(encodeURI(path).replaceAll('%25', '%')), 'not_found', path)
    isFailure(t, await edge.askAs('admin', encodeURI(path).replaceAll('%25', '%')), 'not_found', `${path} with a token`)
  }
  t.strictSame(heard(), [])
})

t.test('method, multipart body, range and conditions pass as they were sent', async t => {
  const form = '--b\r\ncontent-disposition: form-data; name="file"; filename="ü.txt"\r\n\r\n\u0000bytes\r\n--b--\r\n'
  for (const method of ['GET', 'POST', 'PUT', 'PATCH', 'DELETE', 'HEAD']) {
    const headers = {
      'content-type': 'multipart/form-data; boundary=b',
      range: 'bytes=0-9',
      'if-range': '"v1"',
      'if-match': '"v1"',
      'idempotency-key': 'k',
      'last-event-id': '7',
      'user-agent': 'test',
      'mcp-session-id': 's',
      'mcp-protocol-version': '2025-06-18',
      'accept-language': 'de',
      cookie: 'a=b',
      accept: 'text/event-stream',
      traceparent: '00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01',
    }
    const body = method === 'GET' || method === 'HEAD' ? undefined : form
    await edge.askAs('user', '/rag/documents/d1', { method, headers, body })
    const [noted] = edge.heard()
    t.equal(noted?.method, method)
    t.match(Object.fromEntries(noted?.headers ?? []), headers, `${method}: headers`)
    t.equal(noted?.body.toString(), body ?? '', `${method}: body`)
  }
})

t.test(
  'what a service has read is asked of it once, whatever becomes of it: answered with 503, cut off before the answer or within it',
  async t => {
    for (const method of ['GET', 'POST']) {
      for (const [end, status] of [
        ['503', 503],
        ['cut off', 503],
        ['cut within', 200],
      ] as const) {
        edge.rag.answer = (request, response) => {
          if (end === 'cut off') return void request.socket.destroy()
          response.writeHead(status)
          if (end === '503') return void response.end()
          response.write('{')
          setImmediate(() => request.socket.destroy())
        }
        heard()
        const reply = await edge.askAs('user', '/rag/collections', { method }).catch(error => error)
        const asked = edge.heard().filter(({ url }) => url === '/collections').length
        t.equal(asked, 1, `${method}, ${end}`)
        if (end !== 'cut within') t.equal(reply.status, status, `${method}, ${end}`)
      }
    }
    edge.rag.answer = undefined
  },
)
