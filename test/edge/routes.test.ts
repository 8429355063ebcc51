// Every public path of the HTTP contract reaches its service under the path that service knows, in both spellings; nothing else exists.
import t from 'tap'
import { type Edge, startEdge } from './edge.ts'

const edge = await startEdge(t)

/** Paths under a prefix, as the service behind it knows them. */
const services = {
  auth: [
    '/register /login /refresh /validate /logout /me /me/password /sessions /sessions/s1 /api-keys /api-keys/k1 /invites',
    '/users /users/u_1-A /audit /audit/verify /audit/head /health /ready /openapi.json /.well-known/jwks.json',
  ],
  agent: ['/query /runs/r1 /runs/r1/events /conversations /conversations/c1 /tools /usage /status /health /ready /openapi.json'],
  rag: [
    '/documents /documents/d1 /documents/d1/text /documents/d1/content /documents/d1/retry /jobs/j1 /jobs/j1/events',
    '/search /retrieve /lookup /query /ingest /collections /collections/c1 /collections/c1/grants/u1 /evaluations /evaluations/e1',
    '/admin/reindex /admin/snapshot /admin/index /status /health /ready /openapi.json',
  ],
} satisfies Partial<Record<keyof Edge, string[]>>

/** Paths without a prefix: who answers, and under which path. */
const rows: [path: string, service: 'auth' | 'agent' | 'rag', known: string][] = [
  ['/health', 'auth', '/gateway/health'],
  ['/api/health', 'auth', '/gateway/health'],
  ['/api/config', 'auth', '/gateway/config'],
  ['/api/services', 'auth', '/gateway/services'],
  ['/docs', 'auth', '/docs'],
  ['/docs/', 'auth', '/docs/'],
  ['/docs/static/swagger-ui.css', 'auth', '/docs/static/swagger-ui.css'],
  ['/v1/chat/completions', 'agent', '/v1/chat/completions'],
  ['/v1/models', 'agent', '/v1/models'],
  ['/v1/embeddings', 'rag', '/v1/embeddings'],
  ['/mcp', 'agent', '/mcp'],
]
for (const [service, lists] of Object.entries(services)) {
  for (const path of lists.flatMap(list => list.split(' '))) {
    rows.push([`/${service}${path}`, service as 'auth', path], [`/api/${service}${path}`, service as 'auth', path])
  }
}

t.test('every listed path reaches its service under the path that service knows', async t => {
  for (const [path, service, known] of rows) {
    for (const upstream of [edge.auth, edge.agent, edge.rag]) upstream.forget()
    const { status } = await edge.askAs('admin', `${path}?a=b%2Fc&d=%C3%A9`)
    const [noted, ...more] = [...edge.auth.noted, ...edge.agent.noted, ...edge.rag.noted]
    // /ready and the keys are answered by the upstream itself and not noted.
    if (known === '/ready' || known === '/.well-known/jwks.json') t.equal(status, 200, path)
    else
      t.strictSame(
        [status, edge[service].noted[0]?.url, more.length],
        [200, `${known}?a=b%2Fc&d=%C3%A9`, 0],
        `${path} ${noted?.url}`,
      )
  }
})
