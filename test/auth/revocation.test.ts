import t from 'tap'
import { verifier } from '../platform/verifier.ts'
import { password } from '../support/services.ts'
import { type Ask, asking, house, type Person } from './house.ts'

const { app, env, url, ask, admin, person, redis, replica } = await house(t)
const other = await verifier(t, env, url)

interface Held {
  ada: Person
  /** A second session of the same user. */
  second: Person
  key: { id: string; headers: { authorization: string } }
}

/** Asks with a credential at auth, at another replica of it and at a service beside it. */
function everywhere(headers: Record<string, string>, more: Ask[] = []) {
  const places = [asking(app, headers), ...more]
  const who = [...places.map(at => at('GET', '/me')), asking(other, headers)('GET', '/who')]
  return Promise.all(who).then(answers => answers.map(({ status }) => status))
}

async function held(username: string): Promise<Held> {
  const ada = await person(username)
  const second = await person(username)
  const made = await ada.ask('POST', '/api-keys', { name: 'k', permissions: ['read:rag'], expires_in_days: 1 })
  return { ada, second, key: { id: made.body.id, headers: { authorization: `Bearer ${made.body.key}` } } }
}

/** What is done, and which credentials it must end: the session that is used, the second one, the API key. */
const acts: { name: string; act(held: Held): Promise<{ status: number }>; ends: [boolean, boolean, boolean] }[] = [
  { name: 'signing out', act: ({ ada }) => ada.ask('POST', '/logout'), ends: [true, false, false] },
  {
    name: 'ending another session',
    act: ({ ada, second }) => ada.ask('DELETE', `/sessions/${second.session_id}`),
    ends: [false, true, false],
  },
  { name: 'ending all sessions', act: ({ ada }) => ada.ask('DELETE', '/sessions'), ends: [true, true, false] },
  {
    name: 'changing the password',
    act: ({ ada }) => ada.ask('PUT', '/me/password', { current_password: password, new_password: `${password} 2` }),
    ends: [false, true, false],
  },
  {
    name: 'a change of role',
    act: ({ ada }) => admin.ask('PATCH', `/users/${ada.user_id}`, { role: 'guest' }),
    ends: [true, true, false],
  },
  {
    name: 'disabling the account',
    act: ({ ada }) => admin.ask('PATCH', `/users/${ada.user_id}`, { disabled: true }),
    ends: [true, true, true],
  },
  { name: 'deleting the account', act: ({ ada }) => admin.ask('DELETE', `/users/${ada.user_id}`), ends: [true, true, true] },
  {
    name: 'deleting the API key',
    act: ({ ada, key }) => ada.ask('DELETE', `/api-keys/${key.id}`),
    ends: [false, false, true],
  },
  {
    name: 'a refresh token that comes back',
    async act({ ada }) {
      const next = await ask('POST', '/refresh', { refresh_token: ada.refresh_token })
      await ask('POST', '/refresh', { refresh_token: next.body.refresh_token })
      const reuse = await ask('POST', '/refresh', { refresh_token: ada.refresh_token })
      return { status: reuse.status === 401 ? 200 : 0 }
    },
    ends: [true, false, false],
  },
]

const revoked: Held[] = []
for (const [i, { name, act, ends }] of acts.entries()) {
  t.test(`${name} is known at every service by the very next request`, async t => {
    const all = await held(`user${i}`)
    const headers = [all.ada.headers, all.second.headers, all.key.headers]
    for (const one of headers) t.same(await everywhere(one), [200, 200], 'alive, and remembered by whoever remembers')
    t.match(await act(all), { status: /^20[04]$/ })
    for (const [j, one] of headers.entries()) t.same(await everywhere(one), ends[j] ? [401, 401] : [200, 200], `credential ${j}`)
    for (const [j, { refresh_token }] of [all.ada, all.second].entries()) {
      if (ends[j]) t.equal((await ask('POST', '/refresh', { refresh_token })).status, 401, 'and its refresh token is dead')
    }
    if (ends.every(Boolean)) revoked.push(all)
  })
}

t.test('a key keeps only the rights its owner still has', async t => {
  const { ada, key } = await held('shrinking')
  const search = asking(other, key.headers)
  t.equal((await search('GET', '/search')).status, 200)
  await admin.ask('PATCH', `/users/${ada.user_id}`, { role: 'guest' })
  t.match(await search('GET', '/search'), { status: 403, body: { code: 'forbidden' } })
  await admin.ask('PATCH', `/users/${ada.user_id}`, { role: 'user' })
  t.equal((await search('GET', '/search')).status, 200)
})

t.test('the stored role decides, not the one in the token', async t => {
  const { ada } = await held('rising')
  t.equal((await ada.ask('GET', '/users')).status, 403)
  await admin.ask('PATCH', `/users/${ada.user_id}`, { role: 'admin' })
  const risen = await person('rising')
  t.equal((await risen.ask('GET', '/users')).status, 200)
  t.equal((await asking(other, risen.headers)('GET', '/admin')).status, 200)
  await admin.ask('PATCH', `/users/${ada.user_id}`, { role: 'user' })
  t.equal((await asking(other, risen.headers)('GET', '/admin')).status, 401)
})

t.test('what was revoked stays so when Redis is killed and auth starts again', async t => {
  t.ok(revoked.length > 0)
  const { ada, key } = await held('survivor')
  await redis.stop()
  await redis.start()
  const again = await replica()
  for (const all of revoked) {
    for (const { headers } of [all.ada, all.second, all.key]) t.equal((await asking(again, headers)('GET', '/me')).status, 401)
  }
  for (const { headers } of [ada, key]) t.equal((await asking(again, headers)('GET', '/me')).status, 200)
})
