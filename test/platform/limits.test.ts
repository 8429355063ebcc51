import { readdirSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import t, { type Test } from 'tap'
import Type from 'typebox'
import { authConfig } from '../../src/auth/config.ts'
import { loadConfig, shared } from '../../src/platform/config.ts'
import { type Count, type LimitName, tightest } from '../../src/platform/limits.ts'
import { type App, buildService } from '../../src/platform/service.ts'
import { type Ask, asking, house, until } from '../auth/house.ts'
import { environment, password } from '../support/services.ts'
import { verifier } from './verifier.ts'

const { app, env, url, redis, person, replica } = await house(t)

/** The limits a route can name, with the variable of each. */
const named: Record<LimitName, { variable: string; windowMs: number }> = {
  register: { variable: 'LIMIT_REGISTER_PER_5MIN', windowMs: 300_000 },
  login: { variable: 'LIMIT_LOGIN_PER_MIN', windowMs: 60_000 },
  upload: { variable: 'LIMIT_UPLOAD_PER_MIN', windowMs: 60_000 },
  agent: { variable: 'LIMIT_AGENT_PER_MIN', windowMs: 60_000 },
  rag_query: { variable: 'LIMIT_RAG_QUERY_PER_MIN', windowMs: 60_000 },
}

/** A service with one closed and one public route per limit, and one of each without. */
async function limited(t: Test, limits: Record<string, string>): Promise<App> {
  const app = await buildService({
    name: 'rag',
    config: loadConfig(Type.Object(shared), { ...env, ...limits }),
    keys: async () => ({ publicKey: keys, genuine: async () => false, close: () => {} }),
    async plugin(app) {
      for (const limit of [undefined, ...Object.keys(named)] as (LimitName | undefined)[]) {
        app.get(`/closed/${limit}`, { config: { access: 'authenticated', limit } }, () => ({}))
        app.get(`/open/${limit}`, { config: { access: 'public', limit } }, () => ({}))
      }
    },
  })
  t.teardown(() => app.close())
  return app
}
const pems = new Map<string, string>()
const keys = async (kid: string) => pems.get(kid)
for (const jwk of (await asking(app)('GET', '/.well-known/jwks.json')).body.keys) {
  const { createPublicKey } = await import('node:crypto')
  pems.set(jwk.kid, createPublicKey({ key: jwk, format: 'jwk' }).export({ type: 'spki', format: 'pem' }).toString())
}

let addresses = 0
/** An address nobody used before, named by the trusted proxy. */
const freshAddress = () => ({ 'x-forwarded-for': `198.51.100.${++addresses}` })

/** Asks `max` times at the replicas in turn, then once more at each: the first pass, the others do not. */
async function countsTo(t: Test, max: number, at: Ask[], url: string, headers: Record<string, string>) {
  const turn = (i: number) => (at[i % at.length] as Ask)('GET', url, undefined, { headers })
  for (let i = 1; i <= max; i++) {
    const { status, headers } = await turn(i)
    t.equal(status, 200, `${url}: ${i} of ${max}`)
    t.match(headers, { 'ratelimit-limit': String(max), 'ratelimit-remaining': String(max - i), 'ratelimit-reset': /^\d+$/ })
  }
  for (const i of [0, 1]) {
    const { status, body, headers } = await turn(i)
    t.equal(status, 429, `${url}: one more than ${max}`)
    t.match(body, { code: 'rate_limited', message: /wait/ })
    t.match(headers, { 'retry-after': /^[1-9]\d*$/, 'ratelimit-limit': String(max), 'ratelimit-remaining': '0' })
    t.equal(headers['retry-after'], headers['ratelimit-reset'])
  }
}

t.test('each named limit lets so many pass and refuses the next, counted for one caller at all replicas together', async t => {
  for (const [name, { variable, windowMs }] of Object.entries(named)) {
    const two = await Promise.all([limited(t, { [variable]: '3' }), limited(t, { [variable]: '3' })])
    const at = two.map(one => asking(one))
    const ada = await person(`ada${name}`)
    await countsTo(t, 3, at, `/closed/${name}`, ada.headers)
    const left = await app.redis.pttl(`limit:{${ada.user_id}}:${name}`)
    t.ok(left > windowMs - 60_000 && left <= windowMs, `${variable}: the window is its own`)
    await countsTo(t, 3, at, `/open/${name}`, freshAddress())
    const eve = await person(`eve${name}`)
    t.equal((await asking(two[0] as App, eve.headers)('GET', `/closed/${name}`)).status, 200, 'another user has her own count')
    t.equal((await asking(two[0] as App, freshAddress())('GET', `/open/${name}`)).status, 200, 'and another address')
    await app.redis.pexpire(`limit:{${ada.user_id}}:${name}`, 1)
    await until(async () => (await asking(two[1] as App, ada.headers)('GET', `/closed/${name}`)).status === 200)
  }
})

t.test('every route counts for its caller, whatever the credential, or for its address without one', async t => {
  const limits = { LIMIT_CALLER_PER_MIN: '4', LIMIT_ADDRESS_PER_MIN: '3' }
  const [first, second] = await Promise.all([limited(t, limits), limited(t, limits)])
  const ada = await person('ada')
  await countsTo(t, 4, [asking(first), asking(second)], '/closed/undefined', { ...ada.headers, ...freshAddress() })
  t.equal((await asking(first, (await person('ada')).headers)('GET', '/closed/undefined')).status, 429, 'another session of hers')
  await countsTo(t, 3, [asking(first), asking(second)], '/open/undefined', freshAddress())
})

t.test('a session is on disk, and what it asked is counted without one', async t => {
  const first = await limited(t, { LIMIT_CALLER_PER_MIN: '10', LIMIT_AGENT_PER_MIN: '10' })
  const ada = await person('ada4')
  await countsTo(t, 10, [asking(first), asking(first)], '/closed/agent', ada.headers)
  const folder = join(redis.dir, 'appendonlydir')
  const written = readdirSync(folder).map(name => readFileSync(join(folder, name), 'latin1'))
  t.match(written.join(''), `session:{${ada.user_id}}`)
  t.notMatch(written.join(''), `limit:{${ada.user_id}}`)
})

t.test('what is refused or not there is counted for the address too', async t => {
  const first = await limited(t, { LIMIT_ADDRESS_PER_MIN: '2' })
  const dead = await person('dead')
  await dead.ask('POST', '/logout')
  const cases: [string, string, Record<string, string>][] = [
    ['/closed/undefined', '401', {}],
    ['/closed/undefined', '401', { authorization: 'Bearer x.y.z' }],
    ['/closed/undefined', '401', dead.headers],
    ['/nothing/here', '404', {}],
    ['/nothing/here', '404', dead.headers],
  ]
  for (const [path, status, headers] of cases) {
    const ask = asking(first, { ...headers, ...freshAddress() })
    const statuses = []
    for (let i = 0; i < 3; i++) statuses.push(String((await ask('GET', path)).status))
    t.same(statuses, [status, status, '429'], `${path} ${Object.keys(headers)}`)
  }
})

t.test('a dead credential uses up nothing of its owner', async t => {
  const first = await limited(t, { LIMIT_CALLER_PER_MIN: '2' })
  const lost = await person('ada2')
  const ada = await person('ada2')
  await lost.ask('POST', '/logout')
  for (let i = 0; i < 5; i++) t.equal((await asking(first, lost.headers)('GET', '/closed/undefined')).status, 401)
  t.equal((await asking(first, ada.headers)('GET', '/closed/undefined')).status, 200)
})

t.test('of two limits the one that binds is told', async t => {
  const first = await limited(t, { LIMIT_CALLER_PER_MIN: '10', LIMIT_AGENT_PER_MIN: '2' })
  const ada = await person('ada3')
  const ask = asking(first, ada.headers)
  t.match(await ask('GET', '/closed/agent'), { status: 200, headers: { 'ratelimit-limit': '2', 'ratelimit-remaining': '1' } })
  await ask('GET', '/closed/agent')
  t.match(await ask('GET', '/closed/agent'), { status: 429, headers: { 'ratelimit-limit': '2' } })
  t.match(await ask('GET', '/closed/undefined'), {
    status: 200,
    headers: { 'ratelimit-limit': '10', 'ratelimit-remaining': '6' },
  })
  const count = (used: number, max: number, resetMs: number): Count => ({ used, max, resetMs })
  t.same(tightest([count(1, 10, 5), count(1, 2, 9)]), count(1, 2, 9))
  t.same(tightest([count(11, 10, 5), count(3, 2, 9)]), count(3, 2, 9), 'of two exceeded ones the one that lasts')
  t.same(tightest([count(11, 10, 5), count(1, 2, 9)]), count(11, 10, 5))
  t.equal(tightest([]), undefined)
})

t.test('at auth: registering and signing in have limits of their own', async t => {
  const limits = { LIMIT_REGISTER_PER_5MIN: '2', LIMIT_LOGIN_PER_MIN: '3' }
  const at = (await Promise.all([replica(limits), replica(limits)])).map(one => asking(one, freshAddress()))
  const statuses = async (path: string, body: (i: number) => object, times: number) => {
    const seen: number[] = []
    for (let i = 0; i < times; i++)
      seen.push((await (at[i % 2 ? 1 : 0] as Ask)('POST', path, body(i), { headers: fixed })).status)
    return seen
  }
  const fixed = freshAddress()
  t.same(await statuses('/register', i => ({ username: `new${i}`, password }), 4), [201, 201, 429, 429])
  t.same(await statuses('/login', () => ({ username: 'new0', password }), 5), [200, 200, 200, 429, 429])
})

t.test('health, readiness, metrics, the OpenAPI document and the published keys are not limited', async t => {
  const first = await replica({ LIMIT_ADDRESS_PER_MIN: '1', LIMIT_CALLER_PER_MIN: '1' })
  const beside = await verifier(t, { ...env, LIMIT_ADDRESS_PER_MIN: '1' }, url)
  const paths: [App, string][] = [
    [first, '/.well-known/jwks.json'],
    ...[first, beside].flatMap(one =>
      ['/health', '/ready', '/metrics', '/openapi.json'].map(path => [one, path] as [App, string]),
    ),
  ]
  for (const [one, path] of paths) {
    for (let i = 0; i < 4; i++) {
      const { status, headers } = await asking(one, { 'x-forwarded-for': '203.0.113.99' })('GET', path)
      t.equal(status, 200, path)
      t.notOk('ratelimit-limit' in headers, path)
    }
  }
})

t.test('0 switches a limit off, and production refuses it, naming each', async t => {
  const first = await limited(t, { LIMIT_RAG_QUERY_PER_MIN: '0' })
  const ada = await person('ada4')
  for (let i = 0; i < 20; i++) {
    const { status, headers } = await asking(first, ada.headers)('GET', '/closed/rag_query')
    t.equal(status, 200)
    t.notOk('ratelimit-limit' in headers)
  }
  const variables = Object.keys(shared).filter(name => name.startsWith('LIMIT_'))
  t.equal(variables.length, 8)
  const production = { ...environment(redis), NODE_ENV: 'production', ...Object.fromEntries(variables.map(name => [name, '1'])) }
  t.doesNotThrow(() => authConfig(production))
  for (const name of variables)
    t.throws(() => authConfig({ ...production, [name]: '0' }), { message: new RegExp(`${name} is 0`) })
  for (const wrong of ['-1', '1.5', 'many', '1e99'])
    t.throws(() => authConfig({ ...production, LIMIT_LOGIN_PER_MIN: wrong }), { message: /LIMIT_LOGIN_PER_MIN/ }, wrong)
})
