// Services that are away, come back, or are not ready: what the edge says meanwhile, and that it needs no hand to recover.
import { setTimeout as pause } from 'node:timers/promises'
import t, { type Test } from 'tap'
import { version } from '../../src/platform/health.ts'
import { type Edge, startEdge } from './edge.ts'
import { type Reply, withReplicas } from './envoy.ts'
import { isFailure } from './refusals.ts'
import { startUpstream, type Upstream } from './upstream.ts'

const MS_MAX = 15_000
const LOOK_EVERY_MS = 20

/** Asks until the reply is as wanted; fails after a bounded wait. */
async function until(t: Test, name: string, ask: () => Promise<Reply>, wanted: (reply: Reply) => boolean) {
  const late = Date.now() + MS_MAX
  let reply = await ask()
  while (!wanted(reply) && Date.now() < late) {
    await pause(LOOK_EVERY_MS)
    reply = await ask()
  }
  t.ok(wanted(reply), name)
}
const counter = (edge: Edge, name: string, above: number) => (t: Test) =>
  until(
    t,
    `${name} > ${above}`,
    () => edge.admin(`/stats?filter=${name}`),
    ({ text }) => Number(/: (\d+)/.exec(text)?.[1]) > above,
  )

t.test(
  'a service that is away is 503 in the failure body at once; the others serve; it is found again when it is back',
  async t => {
    const edge = await startEdge(t)
    for (const [service, path] of [
      ['rag', '/rag/status'],
      ['agent', '/agent/status'],
    ] as const) {
      await edge[service].stop()
      for (let i = 0; i < 20; i++) {
        const reply = await edge.askAs('user', path, { method: i % 2 ? 'POST' : 'GET' })
        isFailure(t, reply, 'unavailable', `${service} ${i}`)
        t.equal(reply.headers['retry-after'], '1')
      }
      t.equal((await edge.askAs('user', service === 'rag' ? '/agent/status' : '/rag/status')).status, 200)
      await edge[service].start()
      await until(
        t,
        `${service} is found again`,
        () => edge.askAs('user', path),
        ({ status }) => status === 200,
      )
    }
  },
)

t.test('while auth is away tokens already issued go on to verify, also past the age of the cached keys', async t => {
  const edge = await startEdge(t, { values: { JWKS_CACHE_S: 1 } })
  await edge.auth.stop()
  await counter(edge, 'jwks_fetch_failed', 1)(t)
  t.equal((await edge.askAs('user', '/rag/status')).status, 200)
  isFailure(t, await edge.askAs('user', '/auth/me'), 'unavailable')
  const read = edge.auth.keysRead
  await edge.auth.start()
  await until(
    t,
    'the keys are read again',
    () => edge.askAs('user', '/auth/me'),
    ({ status }) => status === 200 && edge.auth.keysRead > read,
  )
})

t.test('/health is asked of the first service that is there, and with none there it says so', async t => {
  const edge = await startEdge(t)
  edge.auth.answer = () => undefined
  t.match(await edge.ask('/health'), { status: 200, json: { url: '/gateway/health' } }, 'one that hangs is not waited for')
  t.equal(edge.agent.noted.length, 1)
  edge.auth.answer = undefined
  const asked = () => [...edge.auth.noted, ...edge.agent.noted, ...edge.rag.noted].map(({ url }) => url)
  for (const service of ['auth', 'agent', 'rag'] as const) {
    for (const path of ['/health', '/api/health']) {
      for (const one of ['auth', 'agent', 'rag'] as const) edge[one].noted.length = 0
      t.match(await edge.ask(path), { status: 200, json: { url: '/gateway/health' } }, service)
      t.strictSame(
        edge[service].noted.map(({ url }) => url),
        ['/gateway/health'],
      )
      t.strictSame(asked(), ['/gateway/health'], 'no other was')
    }
    await edge[service].stop()
  }
  for (const path of ['/health', '/api/health']) {
    const { status, json, headers } = await edge.ask(path)
    t.equal(status, 503)
    t.match(json.timestamp, /^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z$/)
    const services = { auth: 'down', agent: 'down', rag: 'down' }
    t.strictSame({ ...json, timestamp: '' }, { status: 'degraded', service: 'gateway', timestamp: '', version, services })
    t.match(headers, { 'content-type': 'application/json; charset=utf-8', 'retry-after': '1' })
  }
})

t.test('an edge that has never seen a key says 503, not that the token is bad; then it finds the keys by itself', async t => {
  const edge = await startEdge(t, { authAway: true })
  const reply = await edge.askAs('user', '/rag/status')
  isFailure(t, reply, 'unavailable')
  t.equal(reply.headers['retry-after'], '1')
  isFailure(t, await edge.ask('/rag/status'), 'unauthenticated', 'without a token it is the caller who errs')
  t.strictSame(edge.rag.noted, [])
  await edge.auth.start()
  await until(
    t,
    'the keys are found',
    () => edge.askAs('user', '/rag/status'),
    ({ status }) => status === 200,
  )
})

t.test('a key that auth publishes is known after the cache has aged, and one it withdraws is not', async t => {
  const edge = await startEdge(t, { values: { JWKS_CACHE_S: 1 } })
  const { keys } = edge.auth
  edge.auth.keys = keys.map(key => ({ ...key, kid: 'k2' }))
  await until(
    t,
    'the withdrawn key is refused',
    () => edge.askAs('user', '/rag/status'),
    ({ status }) => status === 401,
  )
  edge.auth.keys = keys
  await until(
    t,
    'the published key is known',
    () => edge.askAs('user', '/rag/status'),
    ({ status }) => status === 200,
  )
})

t.test(
  'two replicas share the work; one that is unready or gone costs no request, also while both are restarted in turn',
  async t => {
    const second = await startUpstream()
    t.teardown(() => second.stop())
    const edge = await startEdge(t, { clusters: withReplicas({ rag: second.port }) })
    const replicas = [edge.rag, second]
    const ask = (method = 'GET') => edge.askAs('user', '/rag/status', { method })
    const healthy = (count: number) =>
      until(
        t,
        `${count} are in balance`,
        () => edge.admin('/stats?filter=cluster.rag.membership_healthy'),
        ({ text }) => text.includes(`: ${count}`),
      )
    const heard = () => replicas.map(({ noted }) => noted.splice(0).length)
    /** Envoy's workers learn a moment after its main thread which replica rests: asks until 20 in a row went elsewhere. */
    const resting = (replica: Upstream) =>
      until(
        t,
        'the unready one rests',
        async () => {
          heard()
          return (await Promise.all(Array.from({ length: 20 }, () => ask())))[0] as Reply
        },
        () => replica.noted.length === 0,
      )

    await healthy(2)
    await Promise.all(Array.from({ length: 100 }, () => ask()))
    t.ok(
      heard().every(count => count > 10),
      'both work',
    )

    await second.stop()
    await counter(edge, 'cluster.rag.upstream_cx_destroy_remote$', 0)(t)
    for (let i = 0; i < 40; i++)
      t.equal((await ask(i % 2 ? 'POST' : 'GET')).status, 200, 'a replica that vanished between two requests costs none')
    await second.start()
    await healthy(2)

    second.ready = false
    await healthy(1)
    await resting(second)
    edge.rag.ready = false
    await healthy(0)
    t.equal((await ask()).status, 200, 'when none is ready they are asked all the same, to say what they miss')
    edge.rag.ready = second.ready = true
    await healthy(2)

    const statuses = new Map<number, number>()
    let over = false
    const user = async (method: string) => {
      while (!over) {
        const { status } = await ask(method)
        statuses.set(status, (statuses.get(status) ?? 0) + 1)
      }
    }
    const users = ['GET', 'POST', 'GET', 'POST'].map(user)
    for (const replica of replicas) {
      replica.ready = false
      await healthy(1)
      await resting(replica)
      await replica.leave()
      replica.ready = true
      await replica.start()
      await healthy(2)
    }
    over = true
    await Promise.all(users)
    t.strictSame([...statuses.keys()], [200], `${statuses.get(200)} requests`)
  },
)
