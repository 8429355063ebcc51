import t from 'tap'
import { authConfig } from '../../src/auth/config.ts'
import { authService } from '../../src/auth/plugin.ts'
import { buildService } from '../../src/platform/service.ts'
import { type Ask, asking, house, until } from '../auth/house.ts'
import { folder } from '../support/folder.ts'
import { environment, password } from '../support/services.ts'
import { verifier } from './verifier.ts'

const { app, env, url, redis, person, ask } = await house(t)
const other = await verifier(t, env, url)
const ada = await person('ada')
const key = (await ada.ask('POST', '/api-keys', { name: 'k', permissions: ['read:rag'], expires_in_days: 1 })).body.key
const AWAY = { status: 503, body: { code: 'unavailable', request_id: String }, headers: { 'retry-after': '1' } }

/** One request of every sort that needs Redis: signed in, by key, without a credential, at auth and beside it. */
const requests: [string, () => ReturnType<Ask>][] = [
  ['signing in', () => ask('POST', '/login', { username: 'ada', password })],
  ['signing in with a wrong password', () => ask('POST', '/login', { username: 'ada', password: 'a wrong password' })],
  ['registering', () => ask('POST', '/register', { username: 'late', password })],
  ['refreshing', () => ask('POST', '/refresh', { refresh_token: ada.refresh_token })],
  ['validating', () => ada.ask('POST', '/validate')],
  ['asking who I am', () => ada.ask('GET', '/me')],
  ['signing out', () => ada.ask('POST', '/logout')],
  ['a token beside auth', () => asking(other, ada.headers)('GET', '/who')],
  ['a key at auth', () => asking(app, { authorization: `Bearer ${key}` })('GET', '/me')],
  ['a key beside auth', () => asking(other, { authorization: `Bearer ${key}` })('GET', '/who')],
]

t.test('while Redis is gone everything that rests on it is 503 in the house body, and nothing is let through', async t => {
  await redis.stop()
  for (const [name, request] of requests) t.match(await request(), AWAY, name)
  t.match(await ask('GET', '/ready'), { status: 503, body: { code: 'unavailable', details: [{ path: 'redis' }] } })
  t.equal((await ask('GET', '/health')).status, 200, 'the process is alive')
  t.equal((await ask('GET', '/.well-known/jwks.json')).status, 200, 'and its public keys are still told')
  t.match(await asking(other)('GET', '/who'), { status: 401 }, 'no credential is no credential')
})

t.test('when Redis is back all is as before, without a restart', async t => {
  await redis.start()
  await until(async () => (await ask('GET', '/ready')).status === 200 && (await asking(other)('GET', '/ready')).status === 200)
  t.equal((await ada.ask('GET', '/me')).status, 200)
  t.equal((await asking(other, ada.headers)('GET', '/who')).status, 200)
  t.equal((await ask('POST', '/login', { username: 'ada', password })).status, 200)
  t.equal((await ask('POST', '/login', { username: 'late', password })).status, 401, 'what was answered 503 did not happen')
})

t.test('a Redis that does not answer is one that is gone', async t => {
  await app.redis.call('CLIENT', 'PAUSE', '60000', 'ALL')
  for (const [name, request] of requests.slice(0, 3)) t.match(await request(), AWAY, name)
  await redis.stop()
  await redis.start()
  await until(async () => (await ask('GET', '/ready')).status === 200)
  t.equal((await ada.ask('GET', '/me')).status, 200)
})

t.test('auth does not start without Redis, nor on one that may forget', async t => {
  const start = (more: NodeJS.ProcessEnv) =>
    buildService(authService(authConfig({ ...environment(redis), AUDIT_DIR: folder(t), ...more })))
  await t.rejects(start({ REDIS_URL: 'redis://127.0.0.1:1' }), {
    message: 'Redis does not answer at 127.0.0.1:1; start it first.',
  })
  await app.redis.config('SET', 'maxmemory-policy', 'allkeys-lru')
  await t.rejects(start({}), { message: /may evict keys \(maxmemory-policy allkeys-lru\); set maxmemory-policy noeviction/ })
  await app.redis.config('SET', 'maxmemory-policy', 'noeviction')
  await app.redis.config('SET', 'appendonly', 'no')
  const limits = Object.keys(environment(redis)).filter(name => name.startsWith('LIMIT_'))
  const production = { NODE_ENV: 'production', ...Object.fromEntries(limits.map(name => [name, '100'])) }
  await t.rejects(start(production), {
    message: /forgets accounts and sessions when it ends \(appendonly no\); set appendonly yes/,
  })
  await app.redis.config('SET', 'appendonly', 'yes')
})

t.test('a service closes while Redis is away as it does otherwise', async t => {
  const away = await house(t)
  const beside = await verifier(t, away.env, away.url)
  await away.redis.stop()
  await t.resolves(away.app.close())
  await t.resolves(beside.close())
})
