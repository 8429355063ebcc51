import t from 'tap'
import { privateRedis } from '../support/redis.ts'
import { auth, environment, password, signedIn } from '../support/services.ts'

t.test('a registered user signs in, is known by the token, and is refused with the same token after signing out', async t => {
  const { app } = await auth(t, environment(await privateRedis(t)))
  const made = await app.inject({ method: 'POST', url: '/register', payload: { username: 'ada', password } })
  t.equal(made.statusCode, 201)
  t.match(made.json(), { username: 'ada', role: 'user', user_id: /^[0-9a-f]{32}$/ })
  const { headers, user_info } = await signedIn(app, 'ada')
  const me = await app.inject({ url: '/me', headers })
  t.equal(me.statusCode, 200, me.body)
  t.match(me.json(), {
    username: 'ada',
    user_id: user_info.user_id,
    permissions: ['read:agent', 'write:agent', 'read:rag', 'write:rag'],
  })
  const valid = await app.inject({ method: 'POST', url: '/validate', headers })
  t.match(valid.json(), { valid: true, username: 'ada', expires_at: /Z$/ })
  const out = await app.inject({ method: 'POST', url: '/logout', headers })
  t.equal(out.statusCode, 204, out.body)
  t.match((await app.inject({ url: '/me', headers })).json(), { code: 'unauthenticated' })
  t.match((await app.inject({ method: 'POST', url: '/validate', headers })).json(), { valid: false, code: 'unauthenticated' })
})
