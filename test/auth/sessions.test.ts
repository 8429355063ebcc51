import t from 'tap'
import { openSessions } from '../../src/auth/sessions.ts'
import { heldKey } from '../../src/platform/admission.ts'
import { asking, house, personAt, until } from './house.ts'

const { app, env, ask, admin, person, replica } = await house(t)
const refresh = (refresh_token: string, by = ask) => by('POST', '/refresh', { refresh_token })
const reuses = async () => (await admin.ask('GET', '/audit?action=refresh_reuse')).body.events

t.test('a refresh token is traded once for a successor in the same session', async t => {
  const ada = await person('ada')
  const next = await refresh(ada.refresh_token)
  t.equal(next.status, 200)
  t.match(next.body, { session_id: ada.session_id, user_info: { username: 'ada' }, token_type: 'Bearer', expires_in: 900 })
  t.not(next.body.refresh_token, ada.refresh_token)
  t.equal((await ask('GET', '/me', undefined, { headers: { authorization: `Bearer ${next.body.token}` } })).status, 200)
  t.equal((await refresh(next.body.refresh_token)).status, 200, 'the successor goes on')
})

t.test('for a short grace the predecessor gets the very same successor, as often as it asks', async t => {
  const ada = await person('ada')
  const first = await refresh(ada.refresh_token)
  for (let i = 0; i < 3; i++) {
    t.equal((await refresh(ada.refresh_token)).body.refresh_token, first.body.refresh_token)
  }
  t.equal((await refresh(first.body.refresh_token)).status, 200)
  t.same(await reuses(), [])
})

t.test('after the grace a token that comes back ends its session, and that is recorded', async t => {
  const ada = await person('ada')
  const kept = await person('ada')
  const next = await refresh(ada.refresh_token)
  await app.redis.hset(heldKey(ada.user_id, 'session', ada.session_id), 'previous_until', Date.now())
  t.match(await refresh(ada.refresh_token), { status: 401, body: { code: 'unauthenticated' } })
  t.equal((await refresh(next.body.refresh_token)).status, 401, 'the successor is dead')
  t.equal((await ada.ask('GET', '/me')).status, 401, 'and so is the access token')
  t.equal((await kept.ask('GET', '/me')).status, 200, 'another session of hers is not')
  t.match(await reuses(), [{ user_id: ada.user_id, target: ada.session_id, outcome: 'denied' }])
})

t.test('a grandparent that comes back ends the session at once, grace or not', async t => {
  const ada = await person('ada')
  const second = await refresh(ada.refresh_token)
  const third = await refresh(second.body.refresh_token)
  t.equal((await refresh(ada.refresh_token)).status, 401)
  t.equal((await refresh(third.body.refresh_token)).status, 401)
  t.equal((await reuses())[0].target, ada.session_id)
})

t.test('without a grace the predecessor is reuse from the first moment', async t => {
  const { user_id } = await person('ada')
  const { password = '' } = await app.redis.hgetall(`user:{${user_id}}`)
  const sessions = openSessions(app.redis, String(env.SECRET_KEY), { idleMs: 60_000, absoluteMs: 60_000, graceMs: 0 })
  const { refresh_token, session_id } = await sessions.open(user_id, password, { address: '', agent: '' })
  t.match(await sessions.refresh(refresh_token), { session_id })
  t.same(await sessions.refresh(refresh_token), { reused: { user_id, session_id } })
  t.notOk((await sessions.list(user_id)).some(({ id }) => id === session_id))
})

t.test('fifty refreshes at once, at two replicas, leave one lineage', async t => {
  const ada = await person('ada')
  const second = asking(await replica())
  const all = await Promise.all(Array.from({ length: 50 }, (_, i) => refresh(ada.refresh_token, i % 2 ? ask : second)))
  t.same([...new Set(all.map(({ status }) => status))], [200])
  const successors = new Set(all.map(({ body }) => body.refresh_token))
  t.equal(successors.size, 1)
  t.equal((await refresh([...successors][0])).status, 200)
})

t.test('a token that was never given out is refused and ends nothing', async t => {
  const ada = await person('ada')
  const { refresh_token } = ada
  const forged = [
    `${refresh_token.slice(0, -1)}${refresh_token.endsWith('A') ? 'B' : 'A'}`,
    refresh_token.slice(0, 67) + 'A'.repeat(43) + refresh_token.slice(110),
    refresh_token.replace(ada.session_id, '0'.repeat(32)),
    refresh_token.replace(ada.user_id, admin.user_id),
    `${refresh_token}=`,
    `${refresh_token} `,
    refresh_token.slice(3),
    ada.session_id,
  ]
  for (const one of forged) t.match(await refresh(one), { status: 401, body: { code: 'unauthenticated' } })
  t.equal((await refresh(refresh_token)).status, 200)
})

t.test('a session ends when it is not refreshed for its idle time', async t => {
  const idle = await replica({ SESSION_IDLE_HOURS: '0.0001' })
  const ada = await personAt(idle, 'ada')
  await until(async () => (await ada.ask('GET', '/me')).status === 401)
  t.equal((await refresh(ada.refresh_token)).status, 401)
})

t.test('refreshing prolongs the idle time but never the longest life', async t => {
  const ada = await person('ada')
  const key = heldKey(ada.user_id, 'session', ada.session_id)
  const left = () => app.redis.pttl(key)
  await app.redis.pexpire(key, 60_000)
  const next = await refresh(ada.refresh_token)
  t.ok((await left()) > 60_000, 'prolonged')
  await app.redis.hset(key, 'until', Date.now() + 60_000)
  const last = await refresh(next.body.refresh_token)
  t.ok((await left()) <= 60_000, 'cut')
  await app.redis.hset(key, 'until', Date.now() - 1)
  await refresh(last.body.refresh_token)
  await until(async () => (await ada.ask('GET', '/me')).status === 401)
})

t.test('a user has a bounded number of sessions; the oldest gives way', async t => {
  const many = await person('many')
  const { user_id } = many
  const { password = '' } = await app.redis.hgetall(`user:{${user_id}}`)
  const sessions = openSessions(app.redis, String(env.SECRET_KEY), { idleMs: 60_000, absoluteMs: 60_000 })
  const [oldest] = await sessions.list(user_id)
  for (let i = 0; i < 100; i++) await sessions.open(user_id, password, { address: '', agent: 'x'.repeat(1000) })
  const living = await sessions.list(user_id)
  t.equal(living.length, 100)
  t.notOk(living.some(({ id }) => id === oldest?.id))
  t.equal((await many.ask('GET', '/me')).status, 401)
  t.equal(living[0]?.agent.length, 200, 'what a client says of itself is bounded')
})

t.test('a user sees her own sessions, ends one of them, and cannot touch another user’s', async t => {
  const eve = await person('eve')
  const grace = await person('grace')
  const again = await person('grace')
  const { body } = await grace.ask('GET', '/sessions')
  t.equal(body.sessions.length, 2)
  t.match(
    body.sessions.find(({ current }: { current: boolean }) => current),
    { id: grace.session_id, address: '127.0.0.1', agent: 'lightMyRequest', created_at: /Z$/, last_seen_at: /Z$/ },
  )
  t.match(await eve.ask('DELETE', `/sessions/${grace.session_id}`), { status: 404, body: { code: 'not_found' } })
  t.match(await eve.ask('DELETE', `/sessions/${'0'.repeat(32)}`), { status: 404, body: { code: 'not_found' } })
  t.equal((await grace.ask('DELETE', `/sessions/${again.session_id}`)).status, 204)
  t.equal((await again.ask('GET', '/me')).status, 401)
  t.equal((await grace.ask('DELETE', `/sessions/${again.session_id}`)).status, 404, 'it ends once')
  t.equal((await grace.ask('GET', '/me')).status, 200)
})
