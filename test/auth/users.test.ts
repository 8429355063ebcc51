import t from 'tap'
import { openAdmins } from '../../src/auth/admins.ts'
import { openUsers } from '../../src/auth/users.ts'
import { password } from '../support/services.ts'
import { house, personAt } from './house.ts'

const { app, ask, admin, person, replica } = await house(t)
const second = await replica()
const LAST = { status: 409, body: { code: 'conflict', message: /last admin/ } }

t.test('an admin pages through all accounts, each once, and none shows what it must not', async t => {
  for (let i = 0; i < 7; i++) await ask('POST', '/register', { username: `paged${i}`, password })
  const seen: string[] = []
  let cursor: string | null = null
  do {
    const { body }: { body: { users: Record<string, unknown>[]; next_cursor: string | null } } = await admin.ask(
      'GET',
      `/users?limit=3${cursor ? `&cursor=${cursor}` : ''}`,
    )
    t.ok(body.users.length <= 3)
    for (const user of body.users) t.same(Object.keys(user).toSorted(), ['created_at', 'disabled', 'role', 'user_id', 'username'])
    seen.push(...body.users.map(({ username }) => String(username)))
    cursor = body.next_cursor
  } while (cursor)
  t.same(seen.toSorted(), ['paged0', 'paged1', 'paged2', 'paged3', 'paged4', 'paged5', 'paged6', 'root'])
})

t.test('the last admin cannot be demoted, disabled or deleted', async t => {
  for (const changes of [{ role: 'user' }, { role: 'guest' }, { disabled: true }, { role: 'user', disabled: true }])
    t.match(await admin.ask('PATCH', `/users/${admin.user_id}`, changes), LAST, JSON.stringify(changes))
  t.match(await admin.ask('DELETE', `/users/${admin.user_id}`), LAST)
  t.match(await personAt(app, 'root'), { user_id: admin.user_id })
})

t.test('of two admins that are taken away at the same moment, at two replicas, one stays', async t => {
  const acts: [string, ('PATCH' | 'DELETE')?, object?][] = [
    ['demoted', 'PATCH', { role: 'user' }],
    ['disabled', 'PATCH', { disabled: true }],
    ['deleted', 'DELETE'],
  ]
  for (const [name, method = 'PATCH', changes] of acts) {
    for (let round = 0; round < 2; round++) {
      const root = await personAt(app, 'root')
      const other = await person(`${name}${round}`)
      await root.ask('PATCH', `/users/${other.user_id}`, { role: 'admin' })
      const [users, elsewhere] = [openUsers(app.redis), openUsers(second.redis)]
      const take = (at: typeof users, id: string) =>
        method === 'DELETE' ? at.remove(id) : at.update(id, changes as { role?: 'user'; disabled?: boolean })
      const results = await Promise.allSettled([take(users, other.user_id), take(elsewhere, root.user_id)])
      t.same(results.map(({ status }) => status).toSorted(), ['fulfilled', 'rejected'], name)
      t.equal(await users.hasAdmin(), true)
      const left = await users.get(results[0]?.status === 'rejected' ? other.user_id : root.user_id)
      t.match(left, { role: 'admin', disabled: false })
      if (left?.user_id === root.user_id) continue
      if (method === 'DELETE') {
        await users.create('root', String(left?.password), 'admin')
      } else {
        await users.update(root.user_id, { role: 'admin', disabled: false })
      }
      await users.update(other.user_id, { role: 'user' })
    }
  }
})

t.test('an account promoted and disabled at once is never counted as an admin who could stay', async t => {
  const users = openUsers(app.redis)
  const root = await personAt(app, 'root')
  for (let round = 0; round < 10; round++) {
    const { user_id } = await users.create(`torn${round}`, 'x', 'user')
    await Promise.all([users.update(user_id, { role: 'admin' }), users.update(user_id, { disabled: true })])
    t.match(await users.get(user_id), { role: 'admin', disabled: true }, 'neither change is lost')
    t.equal(await app.redis.sismember('{users}:admins', user_id), 0)
  }
  t.match(await root.ask('PATCH', `/users/${root.user_id}`, { role: 'user' }), LAST)
})

t.test('a change that was made is no failure, though the turn in which it was cannot be given back', async t => {
  const { alone } = openAdmins(app.redis)
  const turn = '{users}:turn'
  const made = await alone(async () => {
    await app.redis.multi().del(turn).sadd(turn, 'what is no turn').exec()
    return 'made'
  })
  t.equal(made, 'made')
  await app.redis.del(turn)
})

t.test('a disabled account that is enabled again signs in; a deleted one is gone and its name is free', async t => {
  const root = await personAt(app, 'root')
  const ada = await person('ada')
  await root.ask('PATCH', `/users/${ada.user_id}`, { disabled: true })
  t.equal((await ask('POST', '/login', { username: 'ada', password })).status, 401)
  await root.ask('PATCH', `/users/${ada.user_id}`, { disabled: false })
  const again = await person('ada')
  t.equal(again.user_id, ada.user_id)
  t.equal((await root.ask('DELETE', `/users/${ada.user_id}`)).status, 204)
  t.equal((await root.ask('GET', `/users/${ada.user_id}`)).status, 404)
  t.equal((await root.ask('DELETE', `/users/${ada.user_id}`)).status, 404)
  t.equal((await root.ask('PATCH', `/users/${ada.user_id}`, { disabled: false })).status, 404)
  const left = await Promise.all((await app.redis.keys(`*${ada.user_id}*`)).map(async key => key))
  t.same(left, [], 'nothing of hers is left')
  const erased = await app.redis.xrange('erasures', '-', '+')
  t.ok(
    erased.some(([, fields]) => fields.join(' ') === `user ${ada.user_id}`),
    'rag and agent are told',
  )
  t.not((await person('ada')).user_id, ada.user_id, 'whoever takes the name is somebody else')
})

t.test('a password changed while somebody signs in with the old one leaves her no session', async t => {
  const next = 'a different password'
  for (let round = 0; round < 3; round++) {
    const eve = await person(`raced${round}`)
    const signIns = Array.from({ length: 6 }, () => ask('POST', '/login', { username: `raced${round}`, password }))
    const change = await eve.ask('PUT', '/me/password', { current_password: password, new_password: next })
    t.equal(change.status, 204)
    const sessions = (await Promise.all(signIns)).filter(({ status }) => status === 200)
    for (const { body } of sessions) {
      const me = await ask('GET', '/me', undefined, { headers: { authorization: `Bearer ${body.token}` } })
      t.equal(me.status, 401)
    }
    t.equal((await eve.ask('GET', '/me')).status, 200, 'the session that changed it stays')
    t.equal((await ask('POST', '/login', { username: `raced${round}`, password: next })).status, 200)
  }
})

t.test('only admins manage users, and no answer tells whether an id exists to anyone else', async t => {
  const eve = await person('eve')
  for (const id of [admin.user_id, '0'.repeat(32)]) {
    t.match(await eve.ask('GET', `/users/${id}`), { status: 403, body: { code: 'forbidden' } })
    t.match(await eve.ask('PATCH', `/users/${id}`, { role: 'admin' }), { status: 403 })
    t.match(await eve.ask('DELETE', `/users/${id}`), { status: 403 })
  }
})
