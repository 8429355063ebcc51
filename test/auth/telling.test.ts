// What matters is told before it happens, and what ends credentials once more when it has.
import t, { type Test } from 'tap'
import { password } from '../support/services.ts'
import { held } from './acts.ts'
import { house, type Person } from './house.ts'

const EVENTS = 'audit:{audit}:events'
const KEY = { name: 'k', permissions: ['read:rag'], expires_in_days: 1 }

interface Event {
  action: string
  outcome: string
  detail?: string
}
type Request = [Person, 'POST' | 'PUT' | 'PATCH' | 'DELETE', string, object?]

/** An admin, a user with two sessions and an API key, and everything by which credentials end, each possible after those before it. */
async function home(t: Test) {
  const all = await house(t)
  const { app, admin } = all
  const { ada, second, key } = await held(all, 'ada')
  const one = `/users/${ada.user_id}`
  const change = (new_password: string): Request => [ada, 'PUT', '/me/password', { current_password: password, new_password }]
  const ending: Request[] = [
    [ada, 'DELETE', `/api-keys/${key.id}`],
    [ada, 'DELETE', `/sessions/${second.session_id}`],
    change('another password'),
    [admin, 'PATCH', one, { role: 'guest' }],
    [admin, 'DELETE', one],
    [await all.person('root'), 'POST', '/logout'],
    [admin, 'DELETE', '/sessions'],
  ]
  /** The last events, oldest first. */
  const told = async (count: number) =>
    (await app.redis.xrevrange(EVENTS, '+', '-', 'COUNT', count))
      .map(([, fields]) => JSON.parse(fields[1] ?? '') as Event)
      .toReversed()
  return { ...all, ada, one, change, ending, told }
}
const send = ([person, method, url, payload]: Request) => person.ask(method, url, payload)

t.test('what ends credentials is told before it happens and after it did', async t => {
  const { ending, told } = await home(t)
  for (const request of ending) t.match(await send(request), { status: /^20[04]$/ }, request[2])
  const acts = ['api_key_delete', 'session_end', 'password_change', 'user_change', 'user_delete', 'logout', 'session_end']
  t.same(
    (await told(2 * acts.length)).map(({ action, detail }) =>
      /^(sessions|api_key)_end$/.test(action) ? `done ${detail}` : action,
    ),
    acts.flatMap(act => [act, `done ${act}`]),
  )
})

t.test('what was done is no failure, though it cannot be told that it was', async t => {
  const { app, ending } = await home(t)
  const { audit } = app
  for (const request of ending) {
    let events = 0
    app.audit = async (...told) => {
      events += 1
      if (events === 2) throw new Error('It cannot be stored')
      return audit(...told)
    }
    t.match(await send(request), { status: /^20[04]$/ }, request.slice(1, 3).join(' '))
    t.equal(events, 2, 'it was told before, and was to be told once more')
  }
})

t.test('what is refused after it was told is told as refused', async t => {
  const { ada, admin, change, told } = await home(t)
  const self = `/users/${admin.user_id}`
  const make: Request = [ada, 'POST', '/api-keys', KEY]
  for (let i = 1; i < 50; i++) await send(make)
  const refused: Request[] = [[admin, 'PATCH', self, { disabled: true }], [admin, 'DELETE', self], make]
  for (const request of refused) {
    t.equal((await send(request)).status, 409, request[2])
    const [before, after] = await told(2)
    t.match(before, { outcome: 'allowed' })
    t.match(after, { action: before?.action, outcome: 'denied', detail: 'conflict' })
  }
  const both = await Promise.all(['one new password', 'other new password'].map(next => send(change(next))))
  t.same(both.map(({ status }) => status).toSorted(), [204, 409])
  const changes = (await told(4)).filter(({ action }) => action === 'password_change')
  t.same(changes.map(({ outcome }) => outcome).toSorted(), ['allowed', 'allowed', 'denied'])
})

t.test('what cannot be recorded does not happen: registering, signing in and out, changes, keys, invitations', async t => {
  const { app, ask, ada, admin, one, ending } = await home(t)
  const { invite } = (await admin.ask('POST', '/invites')).body
  const state = async () => {
    const keys = (await app.redis.keys('*')).filter(key => !/audit|admins|turn|limit|login/.test(key)).toSorted()
    return Promise.all(keys.map(async key => [key, (await app.redis.dumpBuffer(key))?.toString('base64')]))
  }
  const nobody = { ...ada, ask }
  const requests: Request[] = [
    [nobody, 'POST', '/register', { username: 'eve', password }],
    [nobody, 'POST', '/register', { username: 'eve', password, invite }],
    [nobody, 'POST', '/login', { username: 'root', password }],
    [admin, 'PATCH', one, { role: 'admin' }],
    [admin, 'PATCH', one, { disabled: true }],
    [admin, 'POST', '/invites'],
    [ada, 'POST', '/api-keys', KEY],
    ...ending,
  ]
  await app.redis.multi().del(EVENTS).set(EVENTS, 'not a stream').exec()
  const before = await state()
  for (const request of requests) {
    const { status, body } = await send(request)
    t.match({ status, body }, { status: 500, body: { code: 'internal' } }, request.slice(1, 3).join(' '))
  }
  t.same(await state(), before)
})
