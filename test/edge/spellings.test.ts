// Odd spellings of closed paths: none reaches a handler without a token, and with one the edge and Fastify mean the same route.
import { Agent } from 'node:http'
import Fastify, { type FastifyInstance } from 'fastify'
import t from 'tap'
import { startEdge } from './edge.ts'

const SPELLINGS = 2_000
const AT_ONCE = 32

const edge = await startEdge(t)
const agent = new Agent({ keepAlive: true, maxSockets: AT_ONCE })
t.teardown(() => agent.destroy())

/** A real Fastify router with open and closed routes, behind the edge as a service is. */
const closed = ['/me', '/users/:id', '/audit/verify', '/gateway/config']
let reached: string[] = []
const app: FastifyInstance = Fastify()
for (const path of [...closed, '/login', '/docs/*']) {
  app.all(path, async request => {
    reached.push(request.routeOptions.url ?? '')
    return { route: request.routeOptions.url }
  })
}
await app.ready()
edge.auth.answer = (request, response) => app.routing(request, response)
t.teardown(() => app.close())

/** Numbers from a seed (mulberry32), so that a spelling that fails can be made again. */
function random(seed: number) {
  return () => {
    seed = (seed + 0x6d2b79f5) | 0
    let mixed = Math.imul(seed ^ (seed >>> 15), 1 | seed)
    mixed = (mixed + Math.imul(mixed ^ (mixed >>> 7), 61 | mixed)) ^ mixed
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32
  }
}

/** Ways to write a path otherwise: encodings, doubled and dotted segments, other slashes, case, tails, other prefixes, whole addresses. */
const twists: ((path: string, pick: (below: number) => number) => string)[] = [
  (path, pick) => encodeAt(path, pick(path.length)),
  (path, pick) => encodeAt(path, pick(path.length)).toUpperCase(),
  (path, pick) => encodeAt(path, pick(path.length)).replaceAll('%', '%25'),
  path => path.replaceAll('/', '//'),
  (path, pick) => insert(path, pick, '/./'),
  (path, pick) => insert(path, pick, '/x/../'),
  (path, pick) => insert(path, pick, '/%2e/'),
  (path, pick) => insert(path, pick, '/x/%2e%2E/'),
  (path, pick) => insert(path, pick, '/login/../'),
  (path, pick) => insert(path, pick, '\\'),
  (path, pick) => insert(path, pick, '%2f'),
  (path, pick) => insert(path, pick, '%5C'),
  (path, pick) => path.replace('/', ['/;x/', '/;/', '/%3b/'][pick(3)] ?? '/'),
  (path, pick) =>
    path +
    [
      '/',
      '//',
      '/.',
      '/..;/',
      ';',
      ';a=b',
      '%20',
      '%09',
      '%00',
      '.json',
      '?',
      '?x=/auth/login',
      '#',
      '#/auth/login',
      '/%2e%2e/login',
    ][pick(15)],
  (path, pick) =>
    `/auth/login${['/..', '/../..', '/%2e%2e', '/..;', '#', '?', '/\\..', '%2f..'][pick(8)]}${path.replace('/auth', '')}`,
  path => path.toUpperCase(),
  (path, pick) => path.slice(0, pick(path.length)) + path.slice(pick(path.length)),
  path => `/api${path}`,
  path => `http://elsewhere.example${path}`,
  path => `//elsewhere.example${path}`,
  (path, pick) =>
    path.replace('/auth', ['/auth/auth', '/docs/..', '/agent/../auth', '/api/../auth', '/docs/%2e%2e/auth', ''][pick(6)] ?? ''),
]

const encodeAt = (path: string, at: number) => `${path.slice(0, at)}%${path.charCodeAt(at).toString(16)}${path.slice(at + 1)}`

/** Replaces one slash. */
function insert(path: string, pick: (below: number) => number, piece: string): string {
  const slashes = [...path.matchAll(/\//g)].map(({ index }) => index)
  const at = slashes[pick(slashes.length)] ?? 0
  return path.slice(0, at) + piece + path.slice(at + 1)
}

function spellings(path: string, seed: number): string[] {
  const next = random(seed)
  const pick = (below: number) => Math.floor(next() * below)
  return Array.from({ length: SPELLINGS }, () => {
    let spelled = path
    for (let more = 1 + pick(3); more > 0; more--) spelled = twists[pick(twists.length)]?.(spelled, pick) ?? spelled
    // Node's own client refuses these; the raw ones are in refusals.test.ts.
    return spelled.replace(/[^\x21-\x7e]/g, '%20')
  })
}

/** Asks for all of them, a few at a time. */
async function each<Item>(items: Item[], work: (item: Item) => Promise<void>) {
  const queue = [...items]
  await Promise.all(
    Array.from({ length: AT_ONCE }, async () => {
      for (let item = queue.pop(); item !== undefined; item = queue.pop()) await work(item)
    }),
  )
}

const targets: [path: string, route: string][] = [
  ['/auth/me', '/me'],
  ['/auth/users/abc', '/users/:id'],
  ['/auth/audit/verify', '/audit/verify'],
  ['/api/config', '/gateway/config'],
]

for (const [path, route] of targets) {
  t.test(`none of ${SPELLINGS} spellings of ${path} reaches its handler without a token`, async t => {
    reached = []
    const wrong: string[] = []
    await each(spellings(path, 1), async spelled => {
      const { status } = await edge.ask(spelled, { agent })
      // An open route may be what was spelled (/auth/login#…); a closed one must not be.
      if (![200, 400, 401, 404].includes(status)) wrong.push(`${status} ${spelled}`)
    })
    t.strictSame(
      reached.filter(route => closed.includes(route)),
      [],
    )
    t.strictSame(wrong, [])
  })

  t.test(`with a token, what the edge lets through for ${path} is that route for Fastify too`, async t => {
    const authorization = `Bearer ${await edge.token({ role: 'admin' })}`
    const wrong: string[] = []
    let same = 0
    await each(spellings(path, 2), async spelled => {
      const { status, json } = await edge.ask(spelled, { agent, headers: { authorization } })
      // Fastify's own 404 says that the edge let a spelling through which the service reads otherwise.
      if (json.statusCode === 404) wrong.push(`${spelled} was let through, but is no route`)
      if (status === 200 && json.route !== route && json.route !== '/login' && !/\/users\/|docs/.test(spelled))
        wrong.push(`${spelled} → ${json.route}`)
      if (status === 200 && json.route === route) same++
    })
    t.strictSame(wrong, [])
    t.ok(same > SPELLINGS / 20, `${same} of them are the same route, well spelled once normalised`)
  })
}
