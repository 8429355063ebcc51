// Odd spellings of every closed route of the real services: none arrives there without a token, and with one the edge and Fastify mean
// the same route. How many each is spelled is for the test to say.
import { Agent } from 'node:http'
import { setTimeout as pause } from 'node:timers/promises'
import type { Test } from 'tap'
import type { Reply } from './envoy.ts'
import { isFailure } from './refusals.ts'
import { type Declared, type House, startServices } from './services.ts'
import { each, spellings } from './twists.ts'

const AT_ONCE = 32
const LOG_MS_MAX = 20_000
const LOOK_EVERY_MS = 20
/** The edge's own rows, which auth knows by another name. */
const rows: Record<string, string> = { '/gateway/config': '/api/config', '/gateway/services': '/api/services' }

/** Where a route is found at the edge. */
function publicPath({ service, route }: Omit<Declared, 'access'>): string {
  const path = route.replace(/:\w+/g, 'x1')
  return rows[path] ?? (/^\/(v1|mcp)/.test(path) ? path : `/${service}${path}`)
}

/** Spells each closed route `count` times, without a token and with the admin's. */
export async function spellEveryRoute(t: Test, count: number) {
  const house = await startServices(t)
  house.nameRoutes()
  const agent = new Agent({ keepAlive: true, maxSockets: AT_ONCE })
  t.teardown(() => agent.destroy())
  const closed = house.routes.filter(({ access, method }) => access !== 'public' && method !== 'HEAD')
  t.ok(closed.length > 40, `${closed.length} closed routes`)
  const spelled = closed.flatMap((declared, i) => spellings(publicPath(declared), i, count).map(path => ({ ...declared, path })))
  const ask = ({ method, path }: (typeof spelled)[number], headers = {}) => house.ask(path, { method, agent, headers })

  await t.test(`none of ${spelled.length} spellings arrives without a token`, async t => {
    house.arrived()
    const wrong: string[] = []
    await each(spelled, AT_ONCE, async one => {
      const reply = await ask(one)
      if (![400, 401, 404].includes(reply.status) && !openly(house, reply))
        wrong.push(`${reply.status} ${one.method} ${one.path}`)
    })
    t.strictSame(house.arrived(), [])
    t.strictSame(wrong, [])
  })

  await t.test('with a token, the route the edge names is the one that the service names', async t => {
    // The edge's name for each route, learnt from its plain spelling; then what both say of the odd ones.
    const names = new Map<string, string>()
    const answered: { path: string; id: string; route: string }[] = []
    const note = async (path: string, { status, headers, json }: Reply) => {
      const id = String(headers['x-request-id'])
      if (status === 200 && json.route) answered.push({ path, id, route: `${json.service} ${json.method} ${json.route}` })
    }
    const named = (route: string) => t.ok(names.has(route), route)
    for (const { service, method, route } of house.routes) {
      const plain = publicPath({ service, method, route })
      await note(plain, await house.ask(plain, { method, agent, headers: house.root.headers }))
    }
    const edgeNames = await routeNames(
      house,
      answered.map(({ id }) => id),
    )
    for (const { route, id } of answered.splice(0)) names.set(route, String(edgeNames.get(id)))
    for (const { service, method, route } of closed) named(`${service} ${method} ${route}`)

    await each(spelled, AT_ONCE, async one => note(one.path, await ask(one, house.root.headers)))
    const said = await routeNames(
      house,
      answered.map(({ id }) => id),
    )
    const wrong = answered.filter(({ id, route }) => said.get(id) !== names.get(route))
    t.strictSame(wrong, [])
    t.ok(answered.length > spelled.length / 20, `${answered.length} of them answer`)
  })

  await t.test('a closed route, well spelled, is 401 without a token', async t => {
    for (const declared of closed) {
      const reply = await house.ask(publicPath(declared), { method: declared.method })
      isFailure(t, reply, 'unauthenticated', `${declared.method} ${declared.route}`)
    }
  })
}

/** Which of its routes the edge says each of these requests took. */
async function routeNames(house: House, ids: string[]): Promise<Map<string, string>> {
  const wanted = new Set(ids)
  const found = new Map<string, string>()
  const late = Date.now() + LOG_MS_MAX
  let read = 0
  while (found.size < wanted.size) {
    if (Date.now() > late) throw new Error(`The access log lacks ${wanted.size - found.size} of ${wanted.size} requests`)
    await pause(LOOK_EVERY_MS)
    const log = house.log()
    const whole = log.lastIndexOf('\n') + 1
    for (const line of log.slice(read, whole).split('\n')) {
      if (!line.startsWith('{')) continue
      const { request_id, route } = JSON.parse(line)
      if (wanted.has(request_id)) found.set(request_id, route)
    }
    read = whole
  }
  return found
}

/** An open route may be what was spelled (/auth/login/x/.. and so on). */
const openly = (house: House, { status, json }: Reply) =>
  status === 405 ||
  house.routes.some(({ service, route, access }) => service === json.service && route === json.route && access === 'public')
