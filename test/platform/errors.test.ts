import t from 'tap'
import { asFailure } from '../../src/platform/errors.ts'
import { privateRedis } from '../support/redis.ts'
import { auth, environment } from '../support/services.ts'

t.test('an unknown field is named in words a person understands', async t => {
  const { app } = await auth(t, environment(await privateRedis(t)))
  const payload = { username: 'ada', password: 'correct horse battery', admin: true, zone: 1 }
  const reply = await app.inject({ method: 'POST', url: '/login', payload })
  t.equal(reply.statusCode, 400)
  t.match(reply.json(), {
    code: 'invalid_request',
    message: 'The request is not valid: /admin is not a field that is known here',
    details: [{ path: '/admin' }, { path: '/zone' }],
  })
  t.equal(reply.json().details.length, 2)
})

t.test('whatever is thrown becomes a failure of the closed list, and a 5xx tells nothing of its cause', async t => {
  for (const thrown of [new Error('/etc/secret leaked'), new TypeError('x'), 'a string', { statusCode: 502 }, null]) {
    const { code, message } = asFailure(thrown)
    t.equal(code, 'internal')
    t.notMatch(message, /secret|leaked/)
  }
})
