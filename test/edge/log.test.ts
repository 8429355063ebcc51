// What the edge writes down about a request: one line of JSON, enough to find it again, and nothing that lets anyone in.
import { setTimeout as pause } from 'node:timers/promises'
import t from 'tap'
import { API_KEY, startEdge } from './edge.ts'
import { askAt } from './envoy.ts'

const edge = await startEdge(t)
const LINES_MS_MAX = 10_000

/** The access log so far, once it holds this request. */
async function lineOf(id: string): Promise<Record<string, unknown>> {
  const late = Date.now() + LINES_MS_MAX
  while (Date.now() < late) {
    const line = edge
      .log()
      .split('\n')
      .find(text => text.startsWith('{') && text.endsWith('}') && text.includes(id))
    if (line) return JSON.parse(line)
    await pause(10)
  }
  throw new Error(`No line holds ${id}`)
}

t.test('each request is one line of JSON under the id its client was given', async t => {
  const reply = await edge.askAs('user', '/rag/documents?name=private', { headers: { 'user-agent': 'test' } })
  t.match(await lineOf(String(reply.headers['x-request-id'])), {
    time: /^\d{4}-.*Z$/,
    method: 'GET',
    path: '/documents',
    route: 'rag',
    status: 200,
    reason: 'via_upstream',
    upstream: 'rag',
    upstream_address: `127.0.0.1:${edge.rag.port}`,
    address: '127.0.0.1',
    user_id: 'a'.repeat(32),
    user_agent: 'test',
    ms: Number,
    upstream_ms: Number,
    bytes_out: Number,
  })
  const refused = await edge.ask('/rag/documents')
  t.match(await lineOf(String(refused.headers['x-request-id'])), {
    status: 401,
    reason: /^jwt_authn/,
    route: 'rag',
    upstream_address: null,
  })
})

t.test('no token, key, password or query is in the log', async t => {
  const token = await edge.token()
  for (const [path, headers] of [
    ['/rag/status', { authorization: `Bearer ${token}` }],
    [`/rag/status?access_token=${token}`, { authorization: `Bearer ${API_KEY}`, cookie: `session=${token}` }],
    [`/nowhere?token=${token}`, { 'x-api-key': API_KEY }],
    ['/auth/login?password=hunter22', { authorization: `Basic ${token}` }],
  ] as const) {
    const { headers: given } = await edge.ask(path, { headers })
    await lineOf(String(given['x-request-id']))
  }
  const log = edge.log()
  for (const secret of [token, token.split('.')[2] ?? '', API_KEY, 'hunter22', '?'])
    t.notOk(log.includes(secret), secret.slice(0, 12))
})

t.test("metrics of every route and service are on the admin port, which is this machine's alone and changes nothing", async t => {
  await edge.askAs('user', '/rag/status')
  const metrics = await edge.admin('/stats/prometheus')
  t.match(metrics.headers['content-type'], /^text\/plain/)
  for (const name of [
    'envoy_http_downstream_rq_xx{envoy_response_code_class="2",envoy_http_conn_manager_prefix="edge"}',
    'envoy_cluster_upstream_rq_time_bucket{envoy_cluster_name="rag",le="1"}',
    'envoy_cluster_membership_healthy{envoy_cluster_name="auth"}',
    'envoy_http_local_rate_limit_rate_limited{envoy_local_http_ratelimit_prefix="flood"}',
    'envoy_server_memory_allocated{}',
  ])
    t.ok(metrics.text.includes(name), name)

  await t.rejects(askAt(edge.adminPort, '/ready', { host: '127.0.0.2' }), { code: 'ECONNREFUSED' })
  for (const path of ['/stats/prometheus', '/config_dump', '/admin']) t.equal((await edge.ask(path)).status, 404, path)
  for (const path of ['/quitquitquit', '/runtime_modify?a=b', '/logging?level=debug', '/cpuprofiler?enable=y', '/reset_counters'])
    t.equal((await edge.admin(path, 'POST')).status, 403, path)
  t.equal((await edge.admin('/ready')).status, 200)
})
