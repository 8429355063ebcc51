// What a client says about itself never reaches a service, and what a service says about itself never reaches a client.
import t from 'tap'
import { startEdge } from './edge.ts'
import { isFailure } from './refusals.ts'

const edge = await startEdge(t)

const forged =
  `X-User-Id X-User X-Username X-Role X-Roles X-Permissions X-Auth-Request-User X-Authenticated-User X-Jwt-Payload X-Claim-Sub
  X-Session-Id X-Tenant-Id X-Remote-User X-Real-Ip X-Client-Ip X-Cluster-Client-Ip X-Original-Url X-Original-Forwarded-For X-Rewrite-Url
  X-Http-Method-Override X-Forwarded-For X-Forwarded-Host X-Forwarded-Port X-Forwarded-Prefix X-Forwarded-Server X-Forwarded-User
  X-Forwarded-Client-Cert X-Envoy-External-Address X-Envoy-Internal X-Envoy-Original-Path X-Envoy-Upstream-Rq-Timeout-Ms X-Envoy-Max-Retries
  X-Envoy-Retry-On X-Envoy-Decorator-Operation X-Envoy-Force-Trace X-Envoy-Peer-Metadata X-Request-Id X-B3-Traceid X-Amzn-Oidc-Data
  X-Goog-Authenticated-User-Email X-Ms-Client-Principal X-
  Forwarded Via True-Client-Ip Cf-Connecting-Ip Fly-Client-Ip Fastly-Client-Ip Client-Ip Remote-User Remote-Groups Proxy-User Ssl-Client-Verify
  User User-Id Userid Username Role Roles Permissions Claims Claim-Sub Sub Sid Session-Id Tenant-Id`.split(/\s+/)

/** Everything a request through the edge may carry when its client sent nothing but a credential and a trace. */
const expected = ['authorization', 'host', 'traceparent', 'x-forwarded-for', 'x-forwarded-proto', 'x-request-id']

const places: [name: string, path: string, method: string, more: Record<string, string>][] = [
  ['a closed route', '/auth/me', 'GET', {}],
  ['a public route', '/auth/login', 'GET', {}],
  ['an edge row', '/health', 'GET', {}],
  ['a preflight', '/auth/me', 'OPTIONS', { origin: 'http://app.example', 'access-control-request-method': 'GET' }],
]

t.test(
  'no header that claims an identity, an address or a route reaches a service, however it is spelled or repeated',
  async t => {
    for (const [name, path, method, more] of places) {
      for (const spell of [
        (header: string) => header,
        (header: string) => header.toLowerCase(),
        (header: string) => header.toUpperCase(),
      ]) {
        edge.heard()
        const headers: Record<string, string | string[]> = { ...more, traceparent: '00-1-2-01' }
        for (const header of forged) headers[spell(header)] = ['admin', '10.1.2.3']
        // So many headers at once would be refused for their number, so they go in portions.
        const entries = Object.entries(headers)
        for (let i = 0; i < entries.length; i += 20) {
          const { status } = await edge.askAs('user', path, {
            method,
            headers: { ...Object.fromEntries(entries.slice(i, i + 20)), ...more },
          })
          t.equal(status, 200, name)
        }
        const arrived = new Set(edge.heard().flatMap(({ headers: sent }) => sent.map(([header]) => header)))
        arrived.delete('content-length')
        t.strictSame([...arrived].toSorted(), [...expected, ...Object.keys(more)].toSorted(), name)
      }
    }
  },
)

t.test('a service is told one address, the true one, and an id that only the edge gives', async t => {
  edge.heard()
  const ids = new Set<string>()
  for (const sent of ['1.2.3.4', '1.2.3.4, 5.6.7.8', '127.0.0.1', '']) {
    const reply = await edge.ask('/auth/login', {
      localAddress: '127.0.0.3',
      headers: { 'x-forwarded-for': sent, 'x-request-id': 'mine' },
    })
    ids.add(String(reply.headers['x-request-id']))
    const headers = (edge.heard()[0]?.headers ?? []).filter(([name]) => name === 'x-forwarded-for' || name === 'x-request-id')
    t.strictSame(headers.toSorted(), [
      ['x-forwarded-for', '127.0.0.3'],
      ['x-request-id', reply.headers['x-request-id']],
    ])
  }
  t.equal(ids.size, 4)
  t.notOk(ids.has('mine'))
})

t.test('a header name with an underscore is refused, since some servers read it as a dash', async t => {
  edge.heard()
  for (const header of ['x_user_id', 'x-user_id', 'content_length', 'X_FORWARDED_FOR']) {
    isFailure(t, await edge.ask('/auth/login', { headers: { [header]: '1' } }), 'invalid_request', header)
  }
  t.strictSame(edge.heard(), [])
})

t.test('replies and refusals carry the security headers and nothing that tells what stands here', async t => {
  edge.auth.answer = (request, response) => {
    response.writeHead(200, {
      server: 'nginx',
      'x-powered-by': 'Fastify',
      'x-envoy-upstream-service-time': '1',
      'content-type': 'text/html',
      ...(request.url === '/docs' && { 'content-security-policy': "default-src 'self'", 'cache-control': 'max-age=60' }),
    })
    response.end('<p>')
  }
  const replies = [
    await edge.ask('/auth/login'),
    await edge.ask('/docs'),
    await edge.ask('/nowhere'),
    await edge.ask('/auth/me'),
    await edge.ask('/auth/x%2fy'),
  ]
  edge.auth.answer = undefined
  t.strictSame(
    replies.map(({ status }) => status),
    [200, 200, 404, 401, 400],
  )
  for (const { headers } of replies) {
    t.match(headers, {
      'x-content-type-options': 'nosniff',
      'x-frame-options': 'DENY',
      'referrer-policy': 'no-referrer',
      'cross-origin-resource-policy': 'same-origin',
    })
    const telling = Object.keys(headers).filter(name => /^(server|via|x-powered-by|x-envoy.*)$/.test(name))
    t.strictSame(telling, [])
  }
  t.strictSame(
    replies.map(({ headers }) => headers['cache-control']),
    ['no-store', 'max-age=60', 'no-store', 'no-store', 'no-store'],
  )
  const policies = replies.map(({ headers }) => headers['content-security-policy'])
  const none = "default-src 'none'; frame-ancestors 'none'"
  t.strictSame(policies, [none, "default-src 'self'", none, none, none], 'a page may bring a policy of its own')
})
