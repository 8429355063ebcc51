// Odd spellings of every closed route of the real services: none arrives there without a token, and with one the edge and Fastify mean
// the same route. How many each is spelled is for the test to say.
import { Agent } from 'node:http'
import type { Test } from 'tap'
import type { Reply } from './envoy.ts'
import { isFailure } from './refusals.ts'
import { type Declared, type House, startServices } from './services.ts'
import { each, spellings } from './twists.ts'

const AT_ONCE = 32
/** The edge's own rows, which auth knows by another name. */
const rows: Record<string, string> = { '/gateway/config': '/api/config', '/gateway/services': '/api/services' }

/** Where a route is found at the edge. */
function publicPath({ service, route }: Declared): string {
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
  const spelled = closed.flatMap((declared, i) =>
    spellings(publicPath(declared), i, count).map(path => ({ ...declared, path, asked: publicPath(declared) })),
  )
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

  await t.test('with a token, what the edge lets through is the route that the edge checked', async t => {
    const wrong: string[] = []
    let same = 0
    await each(spelled, AT_ONCE, async one => {
      const reply = await ask(one, house.root.headers)
      const { service, route } = reply.json
      if (reply.status !== 200 || route === undefined) return
      const arrived = house.routes.find(declared => declared.service === service && declared.route === route)
      const meant = String(arrived && publicPath(arrived)).replaceAll('x1', '[^/?#]+')
      // What the edge matched is this text, once it has made it plain; it must be a spelling of the very route that answered.
      if (!new RegExp(`^(/api)?${meant}$`).test(plain(one.path))) wrong.push(`${one.path} → ${service} ${route}`)
      if (service === one.service && route === one.route) same++
    })
    t.strictSame(wrong, [])
    t.ok(same > spelled.length / 20, `${same} of them are the same route, well spelled once made plain`)
  })

  await t.test('a closed route, well spelled, is 401 without a token and itself with one', async t => {
    for (const declared of closed) {
      const name = `${declared.method} ${declared.route}`
      isFailure(t, await house.ask(publicPath(declared), { method: declared.method }), 'unauthenticated', name)
      const { json } = await house.ask(publicPath(declared), { method: declared.method, headers: house.root.headers })
      t.strictSame(json, { service: declared.service, route: declared.route }, name)
    }
  })
}

/** An open route may be what was spelled (/auth/login/x/.. and so on). */
const openly = (house: House, { status, json }: Reply) =>
  status === 405 ||
  house.routes.some(({ service, route, access }) => service === json.service && route === json.route && access === 'public')

/** The path as RFC 3986 (5.2.4, 6.2.2) makes it plain, slashes merged: what the edge says it does, done by another hand. */
function plain(path: string): string {
  const [only = ''] = path.replace(/^http:\/\/[^/]+/, '').split(/[?#]/)
  const decoded = only.replace(/%(2d|2e|5f|7e|3\d|4[1-9a-f]|5[0-9a]|6[1-9a-f]|7[0-9a])/gi, text => decodeURIComponent(text))
  return new URL(`http://a/${decoded.replaceAll('\\', '/')}`).pathname.replace(/\/+/g, '/')
}
