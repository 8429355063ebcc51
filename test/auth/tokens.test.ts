import { request } from 'node:http'
import t, { type Test } from 'tap'
import type { App } from '../../src/platform/service.ts'
import { verifier } from '../platform/verifier.ts'
import { privateRedis } from '../support/redis.ts'
import { auth, environment, signedIn } from '../support/services.ts'
import { goodTokens } from './hostile/controls.ts'
import { hostileTokens } from './hostile/list.ts'
import { signingKey } from './signing.ts'

const redis = await privateRedis(t)
const env = environment(redis)
const { app, url } = await auth(t, env)
const other = await verifier(t, env, url)
const otherUrl = await other.listen({ host: '127.0.0.1', port: 0 })
const services: [string, App, string, string][] = [
  ['auth', app, url, '/me'],
  ['a service beside it', other, otherUrl, '/who'],
]
const ada = await signedIn(app, 'ada')
const signing = await signingKey(app.redis, env.JWT_SECRET_KEY)

/** Checks the one 401: status, media type and every member of the body. */
function refused(t: Test, reply: { statusCode: number; body: string; contentType: unknown }, name: string) {
  const { code, message, error, request_id, ...more } = reply.statusCode === 401 ? JSON.parse(reply.body) : {}
  const whole =
    reply.contentType === 'application/json; charset=utf-8' &&
    /^(unauthenticated|token_expired)$/.test(code) &&
    message === error &&
    typeof request_id === 'string' &&
    Object.keys(more).length === 0
  if (!whole) t.fail(`${name}: ${reply.statusCode} ${reply.body.slice(0, 200)}`)
  return whole ? 1 : 0
}

for (const [name, service, , path] of services) {
  t.test(`${name}: not one of several hundred hostile tokens is accepted, and every refusal is the same 401`, async t => {
    const hostile = hostileTokens({ token: ada.token, refresh_token: ada.refresh_token, signing })
    t.ok(hostile.size >= 300, `${hostile.size} tokens`)
    let count = 0
    for (const [what, values] of hostile) {
      const authorization = (values.length === 1 ? values[0] : values) as string
      const { statusCode, body, headers } = await service.inject({ url: path, headers: { authorization } })
      count += refused(t, { statusCode, body, contentType: headers['content-type'] }, what)
    }
    t.equal(count, hostile.size)
  })

  t.test(`${name}: tokens that differ only in what may differ are accepted`, async t => {
    const own = await Promise.all(Array.from({ length: 10 }, (_, i) => signedIn(app, `control${i}`)))
    const good = goodTokens(
      { token: ada.token, signing },
      own.map(({ token }) => token),
    )
    t.ok(good.length >= 20)
    for (const authorization of good) {
      const reply = await service.inject({ url: path, headers: { authorization } })
      t.equal(reply.statusCode, 200, reply.body)
    }
    const reply = await service.inject({ url: path, headers: { authorization: good.at(-1) } })
    t.match(
      reply.json(),
      { role: 'user', permissions: ['read:agent', 'write:agent', 'read:rag', 'write:rag'] },
      'the stored role decides',
    )
  })
}

t.test('a token is taken from the Authorization header and from nowhere else', async t => {
  for (const [, service, , path] of services) {
    t.equal((await service.inject(`${path}?access_token=${ada.token}`)).statusCode, 401)
    t.equal((await service.inject({ url: path, cookies: { token: ada.token } })).statusCode, 401)
    for (const name of ['x-authorization', 'proxy-authorization', 'x-access-token', 'x-api-key', 'x-user-id'])
      t.equal((await service.inject({ url: path, headers: { [name]: `Bearer ${ada.token}` } })).statusCode, 401, name)
  }
})

t.test('over a real connection too: the header sent twice is 401, and a head beyond its limit is refused whole', async t => {
  const ask = (base: string, path: string, authorization: string[]) =>
    new Promise<{ status?: number; text: string }>((resolve, reject) => {
      const sent = request(
        base + path,
        { headers: ['host', 'x', ...authorization.flatMap(one => ['authorization', one])] },
        async reply => {
          const chunks: Buffer[] = []
          for await (const chunk of reply) chunks.push(chunk as Buffer)
          resolve({ status: reply.statusCode, text: Buffer.concat(chunks).toString() })
        },
      )
      sent.on('error', reject).end()
    })
  const bearer = `Bearer ${ada.token}`
  for (const [, , base, path] of services) {
    t.match(await ask(base, path, [bearer]), { status: 200 })
    for (const twice of [
      [bearer, bearer],
      [bearer, 'Bearer x'],
      ['Bearer x', bearer],
    ])
      t.match(await ask(base, path, twice), { status: 401, text: /"code":"unauthenticated"/ })
    t.match(await ask(base, path, [`${bearer}${'A'.repeat(8 * 1024)}`]), { status: 401 })
    t.match(await ask(base, path, [`${bearer}${'A'.repeat(17 * 1024)}`]), { status: 431, text: /"code":"headers_too_large"/ })
  }
})
