import t from 'tap'
import { authConfig } from '../../src/auth/config.ts'
import { openInvites } from '../../src/auth/invites.ts'
import { openUsers } from '../../src/auth/users.ts'
import { privateRedis } from '../support/redis.ts'
import { auth, environment, password } from '../support/services.ts'
import { asking, house, personAt } from './house.ts'

const { env, app, ask, admin, replica } = await house(t)
const invited = asking(await replica({ REGISTRATION: 'invite' }))
const closed = asking(await replica({ REGISTRATION: 'closed' }))
const register = (by: typeof ask, username: string, invite?: string, secret = password) =>
  by('POST', '/register', { username, password: secret, ...(invite !== undefined && { invite }) })
const invite = async () => (await admin.ask('POST', '/invites')).body.invite as string
const USED = { status: 403, body: { code: 'forbidden', message: /used up/ } }

t.test('open: anyone; invite: whoever holds an invitation; closed: nobody, invitation or not', async t => {
  t.match(await register(ask, 'open1'), { status: 201, body: { role: 'user' } })
  t.match(await register(invited, 'invite1'), { status: 403, body: { code: 'forbidden', message: /invitation/ } })
  t.match(await register(invited, 'invite1', await invite()), { status: 201, body: { role: 'user' } })
  t.match(await register(closed, 'closed1'), { status: 403, body: { code: 'forbidden' } })
  t.match(await register(closed, 'closed1', await invite()), USED)
  t.match(await closed('POST', '/invites', undefined, { headers: admin.headers }), { status: 409, body: { message: /closed/ } })
  for (const name of ['invite2', 'closed1']) t.equal((await ask('POST', '/login', { username: name, password })).status, 401)
})

t.test('an invitation works once, also for many at once, and not at all when it has run out or was never made', async t => {
  const once = await invite()
  t.equal((await register(invited, 'first', once)).status, 201)
  t.match(await register(invited, 'second', once), USED)
  const contested = await invite()
  const all = await Promise.all(Array.from({ length: 6 }, (_, i) => register(invited, `contender${i}`, contested)))
  t.same(all.map(({ status }) => status).toSorted(), [201, 403, 403, 403, 403, 403])
  const signIns = await Promise.all(all.map((_, i) => ask('POST', '/login', { username: `contender${i}`, password })))
  t.equal(signIns.filter(({ status }) => status === 200).length, 1, 'the others have no account')
  const { invite: old } = await openInvites(app.redis).make('user', 1)
  while ((await openInvites(app.redis).role(old)) !== null);
  for (const one of [old, 'x', `${contested}=`, '*', '{}']) t.match(await register(invited, 'late', one), USED)
})

t.test('a registration that fails leaves the invitation as it was', async t => {
  const kept = await invite()
  t.equal((await register(invited, 'open1', kept)).status, 409)
  t.equal((await register(invited, 'fresh', kept, 'password1')).status, 400)
  t.equal((await register(invited, 'аdmin', kept)).status, 400)
  t.equal((await register(invited, 'fresh', kept)).status, 201)
})

t.test('invitations are stored as hashes', async t => {
  const one = await invite()
  for (const key of await app.redis.keys('*')) t.notOk(key.includes(one), key)
})

t.test('production is closed unless it says otherwise', async t => {
  const production = { ...env, NODE_ENV: 'production', ...onForProduction }
  const { app } = await auth(t, production)
  t.equal((await register(asking(app), 'produced')).status, 403)
  const opened = (await auth(t, { ...production, REGISTRATION: 'open' })).app
  t.equal((await register(asking(opened), 'produced')).status, 201)
})

const onForProduction = Object.fromEntries(
  Object.keys(env)
    .filter(name => name.startsWith('LIMIT_'))
    .map(name => [name, '1000']),
)

t.test(
  'the first admin is whoever holds the token printed while there is none; it works once and is dead afterwards',
  async t => {
    const empty = environment(await privateRedis(t))
    const lines: string[] = []
    const write = process.stdout.write
    process.stdout.write = (line: string | Uint8Array) => lines.push(String(line)) > 0
    const { app } = await auth(t, empty)
    const second = await auth(t, { ...empty, REGISTRATION: 'closed' })
    process.stdout.write = write
    const tokens = lines.map(line => /"invite": "([\w-]+)"/.exec(line)?.[1] ?? '').filter(Boolean)
    t.equal(tokens.length, 2, 'each start without an admin prints one')
    t.match(await register(asking(app), 'whoever'), { status: 201, body: { role: 'user' } }, 'coming first makes nobody an admin')
    t.match(await register(asking(second.app), 'boss', tokens[0]), { status: 201, body: { role: 'admin' } }, 'closed or not')
    t.match(await register(asking(app), 'boss2', tokens[0]), USED)
    t.match(await register(asking(app), 'boss2', tokens[1]), USED, 'the other token is dead too')
    t.equal((await (await personAt(app, 'boss')).ask('GET', '/users')).status, 200)
  },
)

t.test('the first admin by configuration is made once and not made again', async t => {
  t.match(await admin.ask('GET', '/me'), { body: { username: 'root', role: 'admin' } })
  await admin.ask('PUT', '/me/password', { current_password: password, new_password: 'another password' })
  const again = asking(await replica())
  t.equal(
    (await again('POST', '/login', { username: 'root', password })).status,
    401,
    'a later start does not put the old password back',
  )
  t.equal((await again('POST', '/login', { username: 'root', password: 'another password' })).status, 200)
})

t.test('a first admin by configuration who was deleted stays so: nothing is made once there is an admin', async t => {
  const home = await house(t)
  const other = await home.person('other')
  await home.admin.ask('PATCH', `/users/${other.user_id}`, { role: 'admin' })
  const heir = await personAt(home.app, 'other')
  t.equal((await heir.ask('DELETE', `/users/${home.admin.user_id}`)).status, 204)
  const again = asking(await home.replica())
  t.equal((await again('POST', '/login', { username: 'root', password })).status, 401)
  t.same(
    (await heir.ask('GET', '/users')).body.users.map(({ username }: { username: string }) => username),
    ['other'],
  )
})

t.test('the making of a first admin is told, and one that was cut short is completed by the next start', async t => {
  const home = await house(t)
  const told = await home.admin.ask('GET', '/audit?action=register')
  t.match(told.body.events, [{ outcome: 'allowed', user_id: home.admin.user_id, detail: 'admin', address: null }])
  await home.app.redis.del('{users}:admins')
  const next = await home.replica()
  t.equal(await openUsers(next.redis).hasAdmin(), true)
  t.match(await personAt(next, 'root'), { user_id: home.admin.user_id })
})

t.test('a first admin that could not sign in stops the start with a sentence', async t => {
  const env = environment(await privateRedis(t))
  t.throws(() => authConfig({ ...env, ADMIN_USERNAME: 'boss', ADMIN_PASSWORD: 'short' }), /ADMIN_PASSWORD/)
  await t.rejects(auth(t, { ...env, ADMIN_USERNAME: 'newboss', ADMIN_PASSWORD: 'password1' }), /ADMIN_PASSWORD.*common/)
  await t.rejects(auth(t, { ...env, ADMIN_USERNAME: 'аdmin', ADMIN_PASSWORD: password }), /ADMIN_USERNAME.*script/)
})
