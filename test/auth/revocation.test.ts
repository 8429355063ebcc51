import t from 'tap'
import { verifier } from '../platform/verifier.ts'
import { actsOf, type Held, held } from './acts.ts'
import { asking, house } from './house.ts'

const home = await house(t)
const { app, env, url, ask, admin, person, redis, replica } = home
const other = await verifier(t, env, url)

/** Asks with a credential at auth and at a service beside it. */
async function everywhere(headers: Record<string, string>) {
  const who = [asking(app, headers)('GET', '/me'), asking(other, headers)('GET', '/who')]
  return (await Promise.all(who)).map(({ status }) => status)
}

const revoked: Held[] = []
for (const [i, { name, act, ends }] of actsOf(home).entries()) {
  t.test(`${name} is known at every service by the very next request`, async t => {
    const all = await held(home, `user${i}`)
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
  const { ada, key } = await held(home, 'shrinking')
  const search = asking(other, key.headers)
  t.equal((await search('GET', '/search')).status, 200)
  await admin.ask('PATCH', `/users/${ada.user_id}`, { role: 'guest' })
  t.match(await search('GET', '/search'), { status: 403, body: { code: 'forbidden' } })
  await admin.ask('PATCH', `/users/${ada.user_id}`, { role: 'user' })
  t.equal((await search('GET', '/search')).status, 200)
})

t.test('the stored role decides, not the one in the token', async t => {
  const { ada } = await held(home, 'rising')
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
  const { ada, key } = await held(home, 'survivor')
  await redis.stop()
  await redis.start()
  const again = await replica()
  for (const all of revoked) {
    for (const { headers } of [all.ada, all.second, all.key]) t.equal((await asking(again, headers)('GET', '/me')).status, 401)
  }
  for (const { headers } of [ada, key]) t.equal((await asking(again, headers)('GET', '/me')).status, 200)
})
