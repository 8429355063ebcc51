import t from 'tap'
import Type from 'typebox'
import { loadConfig, shared } from '../../src/platform/config.ts'
import type { Access } from '../../src/platform/identity.ts'
import { type App, buildService } from '../../src/platform/service.ts'
import { asking, house } from '../auth/house.ts'

const { app, env, admin, person } = await house(t)
const ask = asking(app)

const build = (plugin: (app: App) => Promise<void>) =>
  buildService({
    name: 'agent',
    config: loadConfig(Type.Object(shared), env),
    keys: () => ({ publicKey: async () => undefined, genuine: async () => false, close: () => {} }),
    plugin,
  })

t.test('a route that declares no access stops the start, wherever it is declared, and is named', async t => {
  const route = async () => ({})
  const plugins: [string, (app: App) => Promise<void>][] = [
    ['GET /bare', async app => void app.get('/bare', route)],
    ['GET /empty', async app => void app.get('/empty', { config: {} }, route)],
    ['POST /limit', async app => void app.post('/limit', { config: { limit: 'login' } }, route)],
    ['GET /inner', async app => void app.register(async inner => void inner.get('/inner', route))],
    ['PUT /long', async app => void app.route({ method: 'PUT', url: '/long', handler: route })],
  ]
  for (const [name, plugin] of plugins)
    await t.rejects(build(plugin), { message: new RegExp(`declare no access.*${name}`) }, name)
  const fine = await build(async app => void app.get('/fine', { config: { access: 'public' } }, route))
  t.equal((await asking(fine)('GET', '/fine')).status, 200)
  await fine.close()
})

t.test('every kind of access is one more demand than the last', async t => {
  const accesses: Access[] = ['public', 'authenticated', 'read:agent', 'manage:users']
  const one = await build(async app => {
    for (const access of accesses) app.get(`/${access}`, { config: { access } }, ({ caller }) => ({ caller: caller ?? null }))
  })
  t.teardown(() => one.close())
  for (const access of accesses) t.equal((await asking(one)('GET', `/${access}`)).status, access === 'public' ? 200 : 401, access)
})

t.test('an address that exists for another method is 405 with Allow, in the house body; any other is 404', async t => {
  const methods: [string, string, string[]][] = [
    ['GET', '/login', ['POST']],
    ['DELETE', '/me', ['GET', 'HEAD']],
    ['POST', '/users/x', ['DELETE', 'GET', 'HEAD', 'PATCH']],
    ['PATCH', '/api-keys', ['GET', 'HEAD', 'POST']],
    ['PUT', '/health', ['GET', 'HEAD']],
    ['POST', '/.well-known/jwks.json', ['GET', 'HEAD']],
  ]
  for (const [method, path, allowed] of methods) {
    for (const headers of [{}, admin.headers]) {
      const reply = await ask(method as 'GET', path, undefined, { headers })
      t.match(reply, { status: 405, body: { code: 'method_not_allowed', request_id: String } }, `${method} ${path}`)
      t.same(String(reply.headers.allow).split(', ').toSorted(), allowed)
    }
  }
  const nowhere = [
    '/',
    '/nothing',
    '/login/',
    '/LOGIN',
    '/me/me',
    '/users/x/y',
    '//me',
    '/me%00',
    '/..%2fme',
    '/me;x',
    '/metrics/x',
  ]
  for (const path of nowhere) {
    for (const method of ['GET', 'POST', 'DELETE'] as const)
      t.match(
        await ask(method, path),
        { status: /^40[04]$/, body: { code: /^(not_found|invalid_request)$/ } },
        `${method} ${path}`,
      )
  }
  t.match(await ask('GET', '/nothing'), { status: 404, body: { code: 'not_found' } })
})

t.test('another spelling of an address is no way past what the address demands', async t => {
  const ada = await person('ada')
  for (const path of ['/%75sers', '/users?x=1', '/users#x', '/users?', `/users/%30${'0'.repeat(31)}`])
    t.equal((await ada.ask('GET', path)).status, 403, path)
  for (const path of ['/%75sers', '/users?x=1', '/users/./', 'http://elsewhere/users', '/users/../users'])
    t.match(await ask('GET', path), { status: /^(401|404)$/ }, path)
  t.equal((await ask('HEAD', '/me')).status, 401)
  t.equal((await ada.ask('HEAD', '/users')).status, 403)
  for (const headers of [
    { 'x-http-method-override': 'GET' },
    { 'x-original-url': '/health' },
    { 'x-rewrite-url': '/health' },
    { 'x-user-id': admin.user_id, 'x-role': 'admin', 'x-permissions': 'manage:users' },
  ])
    t.equal((await ada.ask('GET', '/users', undefined, { headers })).status, 403, Object.keys(headers).join())
})

t.test(
  'a preflight asks for no credential and gives no foreign origin leave; other OPTIONS are refused in the house body',
  async t => {
    const preflight = { origin: 'https://app.example', 'access-control-request-method': 'PUT' }
    const reply = await ask('OPTIONS', '/me/password', undefined, { headers: preflight })
    t.equal(reply.status, 204)
    t.notOk('access-control-allow-origin' in reply.headers)
    for (const headers of [{}, { origin: 'https://app.example' }, { 'access-control-request-method': 'PUT' }])
      t.match(await ask('OPTIONS', '/me', undefined, { headers }), { status: 400, body: { code: 'invalid_request' } })
    const allowing = await buildService({
      name: 'agent',
      config: loadConfig(Type.Object(shared), { ...env, CORS_ORIGINS: 'https://app.example' }),
      keys: () => ({ publicKey: async () => undefined, genuine: async () => false, close: () => {} }),
      plugin: async app => void app.get('/who', { config: { access: 'authenticated' } }, () => ({})),
    })
    t.teardown(() => allowing.close())
    const allow = async (origin: string, method: 'OPTIONS' | 'GET') =>
      (await asking(allowing)(method, '/who', undefined, { headers: { ...preflight, origin } })).headers[
        'access-control-allow-origin'
      ]
    t.equal(await allow('https://app.example', 'OPTIONS'), 'https://app.example')
    t.equal(await allow('https://app.example', 'GET'), 'https://app.example', 'so that a page can read a 401')
    for (const origin of ['https://evil.example', 'https://app.example.evil', 'null', 'http://app.example'])
      t.equal(await allow(origin, 'OPTIONS'), undefined, origin)
  },
)

t.test('the request id of the caller is kept when it is one, and every answer carries one', async t => {
  t.equal((await ask('GET', '/me', undefined, { headers: { 'x-request-id': 'abc-123' } })).body.request_id, 'abc-123')
  for (const id of ['a b', 'x'.repeat(65), '<script>', '']) {
    const reply = await ask('GET', '/me', undefined, { headers: { 'x-request-id': id } })
    t.match(reply.body.request_id, /^[0-9a-f-]{36}$/)
    t.equal(reply.headers['x-request-id'], reply.body.request_id)
  }
  t.equal((await ask('GET', '/health')).headers['cache-control'], 'no-store')
})
