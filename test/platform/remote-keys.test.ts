import { randomBytes } from 'node:crypto'
import t from 'tap'
import { authConfig } from '../../src/auth/config.ts'
import { authService } from '../../src/auth/plugin.ts'
import { buildService } from '../../src/platform/service.ts'
import { asking, house, until } from '../auth/house.ts'
import { claimsOf, headerOf, sealed, signingKey } from '../auth/signing.ts'
import { folder } from '../support/folder.ts'
import { freePort } from '../support/redis.ts'
import { verifier } from './verifier.ts'

t.test('while auth is away, known keys go on working, unknown ones are 503, and all is well when it is back', async t => {
  const { app, env, url, person } = await house(t, { AUTH_SERVICE_PORT: String(await freePort()) })
  const signing = await signingKey(app.redis, env.JWT_SECRET_KEY)
  const other = await verifier(t, env, url)
  const ada = await person('ada')
  const made = await Promise.all(
    ['seen', 'unseen'].map(name => ada.ask('POST', '/api-keys', { name, permissions: ['read:rag'], expires_in_days: 1 })),
  )
  const [seen, unseen] = made.map(({ body }) => ({ authorization: `Bearer ${body.key}` }))
  const strange = sealed(signing, { ...headerOf(signing), kid: 'A'.repeat(43) }, claimsOf(ada.token))
  const ask = (headers?: Record<string, string>) => asking(other, headers)('GET', '/who')
  t.equal((await ask(ada.headers)).status, 200)
  t.equal((await ask(seen)).status, 200)

  const second = await person('ada')
  await app.close()
  t.equal((await ask(ada.headers)).status, 200, 'a token seen before')
  t.equal((await ask(second.headers)).status, 200, 'a token never seen, signed by a known key')
  t.equal((await ask(seen)).status, 200, 'an API key seen before')
  t.match(await ask(unseen), { status: 503, body: { code: 'unavailable' }, headers: { 'retry-after': '1' } })
  t.match(await ask({ authorization: 'Bearer x.y.z' }), { status: 401 }, 'what is no token needs no auth to be refused')
  t.match(await ask({ authorization: `Bearer ${strange}` }), { status: /^(401|503)$/ })
  t.equal((await ask()).status, 401)

  const again = await buildService(authService(authConfig({ ...env, AUDIT_DIR: folder(t) })))
  t.teardown(() => again.close())
  await again.listen({ host: '127.0.0.1', port: Number(new URL(url).port) })
  t.equal((await ask(unseen)).status, 200)
  t.equal((await ask(ada.headers)).status, 200)
  await asking(again, ada.headers)('POST', '/logout')
  t.equal((await ask(ada.headers)).status, 401)
})

t.test(
  'an API key a service remembers is asked about again, so it follows a change of SECRET_KEY, and ends with the secret that made it',
  async t => {
    const { app, env, url, person } = await house(t, { AUTH_SERVICE_PORT: String(await freePort()) })
    const other = await verifier(t, env, url, {}, 0.2)
    const ada = await person('ada')
    const [used, idle] = await Promise.all(
      ['used', 'idle'].map(async name => {
        const { body } = await ada.ask('POST', '/api-keys', { name, permissions: ['read:rag'], expires_in_days: 1 })
        return { authorization: `Bearer ${body.key}` }
      }),
    )
    const status = async (headers?: Record<string, string>) => (await asking(other, headers)('GET', '/who')).status
    for (const key of [used, idle]) t.equal(await status(key), 200)
    await app.close()
    const fresh = randomBytes(32).toString('base64url')
    const hashes = async (redis: typeof app.redis) =>
      Promise.all((await redis.keys('api_key:*')).toSorted().map(key => redis.hget(key, 'hash')))
    let before: (string | null)[] = []
    for (const secrets of [`${fresh},${env.SECRET_KEY}`, fresh]) {
      const again = await buildService(authService(authConfig({ ...env, SECRET_KEY: secrets, AUDIT_DIR: folder(t) })))
      await again.listen({ host: '127.0.0.1', port: Number(new URL(url).port) })
      if (before.length === 0) before = await hashes(again.redis)
      await until(async () => (await status(used)) === 200 && (await hashes(again.redis)).some(hash => !before.includes(hash)))
      if (secrets === fresh) await until(async () => (await status(idle)) === 401)
      await again.close()
      t.equal(await status(used), 200, 'and while auth is away it goes on')
    }
  },
)

t.test('a service that starts before auth is not ready and answers 503, then learns the keys without a restart', async t => {
  const { app, env, person } = await house(t)
  const port = await freePort()
  const other = await verifier(t, env, `http://127.0.0.1:${port}`)
  const ada = await person('ada')
  t.match(await asking(other, ada.headers)('GET', '/who'), { status: 503, body: { code: 'unavailable' } })
  t.match(await asking(other)('GET', '/ready'), { status: 503, body: { details: [{ path: 'keys' }] } })
  await app.close()
  const again = await buildService(authService(authConfig({ ...env, AUDIT_DIR: folder(t) })))
  t.teardown(() => again.close())
  await again.listen({ host: '127.0.0.1', port })
  await until(async () => (await asking(other)('GET', '/ready')).status === 200)
  t.equal((await asking(other, ada.headers)('GET', '/who')).status, 200)
})

t.test('guesses at API keys through another service count where they come from, and only there', async t => {
  const { url, env, person } = await house(t, { LIMIT_ADDRESS_PER_MIN: '5' })
  const other = await verifier(t, { ...env, LIMIT_ADDRESS_PER_MIN: '0' }, url)
  const ada = await person('ada')
  const { body } = await ada.ask('POST', '/api-keys', { name: 'k', permissions: ['read:rag'], expires_in_days: 1 })
  const guess = (i: number, from: string) =>
    asking(other, { authorization: `Bearer ${otherThan(body.key)}${String(i).padStart(2, '0')}`, 'x-forwarded-for': from })(
      'GET',
      '/who',
    )
  const statuses = []
  for (let i = 0; i < 7; i++) statuses.push((await guess(i, '198.51.100.66')).status)
  t.same(statuses, [401, 401, 401, 401, 401, 429, 429])
  t.equal((await guess(8, '198.51.100.67')).status, 401)
  t.equal(
    (await asking(other, { authorization: `Bearer ${body.key}`, 'x-forwarded-for': '198.51.100.67' })('GET', '/who')).status,
    200,
  )
})

t.test('many requests at once with one API key that a service does not know yet are one question to auth', async t => {
  const { url, env, person } = await house(t, { LIMIT_ADDRESS_PER_MIN: '5' })
  const other = await verifier(t, { ...env, LIMIT_ADDRESS_PER_MIN: '0' }, url)
  const ada = await person('ada')
  const { body } = await ada.ask('POST', '/api-keys', { name: 'k', permissions: ['read:rag'], expires_in_days: 1 })
  const from = { 'x-forwarded-for': '198.51.100.66' }
  const status = async (key: string) => (await asking(other, { authorization: `Bearer ${key}`, ...from })('GET', '/who')).status
  const burst = await Promise.all(Array.from({ length: 20 }, () => status(body.key)))
  t.same([...new Set(burst)], [200])
  const wrong = `${otherThan(body.key)}00`
  for (let i = 0; i < 4; i++) t.equal(await status(wrong), 401, 'a wrong key is asked about each time')
  t.equal(await status(wrong), 429)
  t.equal(await status(body.key), 200)
})

/** A key with another secret, but for its last two characters, which are left out. */
function otherThan(key: string): string {
  return `${key.slice(0, -3)}${key.at(-3) === 'A' ? 'B' : 'A'}`
}
