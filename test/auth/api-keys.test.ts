import t, { type Test } from 'tap'
import { type Permission, permissions } from '../../src/contracts/claims.ts'
import type { App } from '../../src/platform/service.ts'
import { verifier } from '../platform/verifier.ts'
import { asking, house, type Person, until } from './house.ts'

const { app, env, url, admin, person } = await house(t)
const other = await verifier(t, env, url)
const make = (by: Person, name: string, permissions: string[], expires_in_days: unknown = 1) =>
  by.ask('POST', '/api-keys', { name, permissions, expires_in_days })
const bearer = (key: string) => ({ authorization: `Bearer ${key}` })

t.test('a key is shown once, works at every service, and is listed with when it was last used', async t => {
  const ada = await person('ada')
  const made = await make(ada, 'nightly job', ['read:rag', 'read:agent'], 30)
  t.equal(made.status, 201)
  const { key, id, expires_at, created_at } = made.body
  t.match(key, /^ak_[\w-]{91}$/)
  t.equal(Date.parse(expires_at) - Date.parse(created_at), 30 * 86_400_000)
  const before = await ada.ask('GET', '/api-keys')
  t.match(before.body.api_keys, [{ id, name: 'nightly job', permissions: ['read:rag', 'read:agent'], last_used_at: null }])
  t.notMatch(JSON.stringify(before.body), key)
  const me = await asking(app, bearer(key))('GET', '/me')
  t.match(me, { status: 200, body: { username: 'ada', credential: 'api_key', permissions: ['read:agent', 'read:rag'] } })
  t.equal((await asking(other, bearer(key))('GET', '/search')).status, 200)
  const valid = await asking(app, bearer(key))('POST', '/validate')
  t.match(valid, { status: 200, body: { valid: true, user_id: ada.user_id, expires_at: null } })
  const [listed] = (await ada.ask('GET', '/api-keys')).body.api_keys
  t.match(listed.last_used_at, /Z$/)
  t.match((await admin.ask('GET', '/audit?action=api_key_make')).body.events, [{ user_id: ada.user_id }])
  const uses = async () => (await admin.ask('GET', `/audit?action=api_key_use&user_id=${ada.user_id}`)).body.events.length
  await until(async () => (await uses()) >= 2)
})

t.test('only a keyed hash is stored', async t => {
  const ada = await person('ada')
  const { body } = await make(ada, 'hidden', ['read:rag'])
  const secret = body.key.slice(-43)
  const bytes = Buffer.from(secret, 'base64url')
  const forms = [secret, bytes.toString('hex'), bytes.toString('base64'), bytes.toString('latin1')]
  for (const [key, value] of await everything(app)) {
    for (const form of forms) if (`${key} ${value}`.includes(form)) t.fail(`${key} holds the key`)
  }
  t.ok((await app.redis.keys('api_key:*')).length > 0)
})

/** Every key of Redis with its value as text, whatever its kind. */
async function everything({ redis }: App): Promise<[string, string][]> {
  return Promise.all(
    (await redis.keys('*')).map(async key => [key, (await redis.dumpBuffer(key))?.toString('latin1') ?? ''] as [string, string]),
  )
}

t.test('a key has no right its owner lacks, and none that keys never have', async t => {
  const ada = await person('ada')
  const guest = await person('visitor')
  await admin.ask('PATCH', `/users/${guest.user_id}`, { role: 'guest' })
  const visitor = await person('visitor')
  const may: [Person, Permission[]][] = [
    [ada, ['read:agent', 'write:agent', 'read:rag', 'write:rag']],
    [visitor, ['read:agent']],
    [admin, ['read:agent', 'write:agent', 'read:rag', 'write:rag']],
  ]
  for (const [owner, allowed] of may) {
    for (const one of permissions) {
      const { status, body } = await make(owner, 'k', [one])
      t.equal(status, allowed.includes(one) ? 201 : 403, one)
      if (status === 403) t.match(body, { code: 'forbidden', message: new RegExp(one) })
    }
  }
  t.equal((await make(ada, 'k', ['read:rag', 'manage:users'])).status, 403, 'one right too many refuses the whole')
})

t.test('what a key may be is bounded', async t => {
  const ada = await person('ada')
  const bad: [string, string[], unknown][] = [
    ['', ['read:rag'], 1],
    ['x'.repeat(101), ['read:rag'], 1],
    ['k', [], 1],
    ['k', ['read:everything'], 1],
    ['k', ['read:rag', 'read:rag'], 1],
    ['k', ['read:rag'], 0],
    ['k', ['read:rag'], 366],
    ['k', ['read:rag'], 1.5],
    ['k', ['read:rag'], '1'],
    ['k', ['read:rag'], null],
  ]
  for (const [name, rights, days] of bad)
    t.match(await make(ada, name, rights, days), { status: 400, body: { code: 'invalid_request' } }, `${name} ${rights} ${days}`)
})

t.test('a key cannot make keys, end sessions or change the password', async t => {
  const ada = await person('ada')
  const { body } = await make(ada, 'k', ['read:agent', 'write:agent', 'read:rag', 'write:rag'])
  const ask = asking(app, bearer(body.key))
  await refusedAll(t, [
    await ask('POST', '/api-keys', { name: 'child', permissions: ['read:rag'], expires_in_days: 365 }),
    await ask('DELETE', `/api-keys/${body.id}`),
    await ask('DELETE', '/sessions'),
    await ask('DELETE', `/sessions/${ada.session_id}`),
    await ask('POST', '/logout'),
    await ask('PUT', '/me/password', { current_password: 'correct horse battery', new_password: 'something else' }),
  ])
  t.equal((await ada.ask('GET', '/me')).status, 200)
})

async function refusedAll(t: Test, answers: { status: number }[]) {
  for (const answer of answers) t.match(answer, { status: 403, body: { code: 'forbidden' } })
}

t.test('a key ends when its time is over', async t => {
  const ada = await person('ada')
  const { body } = await make(ada, 'short', ['read:rag'])
  const key = `api_key:{${ada.user_id}}:${body.id}`
  t.ok(Math.abs((await app.redis.pttl(key)) - 86_400_000) < 60_000, 'after the days it was given')
  for (const service of [app, other])
    t.equal((await asking(service, bearer(body.key))('GET', service === app ? '/me' : '/who')).status, 200)
  await app.redis.pexpire(key, 1)
  await until(async () => (await app.redis.exists(key)) === 0)
  for (const service of [app, other])
    t.equal((await asking(service, bearer(body.key))('GET', service === app ? '/me' : '/who')).status, 401)
  const { api_keys } = (await ada.ask('GET', '/api-keys')).body
  t.notOk(api_keys.some(({ id }: { id: string }) => id === body.id))
})

t.test('what was never given out is no key, though it names a living one', async t => {
  const ada = await person('ada')
  const eve = await person('eve')
  const { key, id } = (await make(ada, 'k', ['read:rag'])).body
  const hers = (await make(eve, 'k', ['read:rag'])).body
  const forged = [
    `${key.slice(0, -1)}${key.endsWith('A') ? 'B' : 'A'}`,
    `${key}A`,
    `${key}=`,
    key.slice(0, -1),
    key.toUpperCase(),
    `ak_${ada.user_id}${id}${hers.key.slice(-43)}`,
    `ak_${ada.user_id}${hers.id}${key.slice(-43)}`,
    `ak_${eve.user_id}${id}${key.slice(-43)}`,
    `ak_${ada.user_id}${'0'.repeat(16)}${key.slice(-43)}`,
  ]
  for (const one of forged) {
    t.equal((await asking(app, bearer(one))('GET', '/me')).status, 401, one)
    t.equal((await asking(other, bearer(one))('GET', '/who')).status, 401, one)
  }
  t.equal((await asking(other, bearer(key))('GET', '/who')).status, 200)
})

t.test('keys are their owner’s alone, and a bounded number of them', async t => {
  const ada = await person('hoarder')
  const eve = await person('eve')
  const { id } = (await make(ada, 'k', ['read:rag'])).body
  t.match(await eve.ask('DELETE', `/api-keys/${id}`), { status: 404, body: { code: 'not_found' } })
  t.notOk((await eve.ask('GET', '/api-keys')).body.api_keys.some((key: { id: string }) => key.id === id))
  const more = await Promise.all(Array.from({ length: 55 }, () => make(ada, 'k', ['read:rag'])))
  t.equal(more.filter(({ status }) => status === 201).length, 49)
  t.match(
    more.find(({ status }) => status !== 201),
    { status: 409, body: { code: 'conflict' } },
  )
  t.equal((await ada.ask('DELETE', `/api-keys/${id}`)).status, 204)
  t.equal((await ada.ask('DELETE', `/api-keys/${id}`)).status, 404)
  t.equal((await make(ada, 'k', ['read:rag'])).status, 201)
})
