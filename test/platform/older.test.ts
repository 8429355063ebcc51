// A Redis that was put back to what it was some time ago has forgotten what was ended since. Auth finds that out; the other services,
// which only know Redis and auth's public keys, must not go on without it.
import { cpSync, rmSync } from 'node:fs'
import t from 'tap'
import { authConfig } from '../../src/auth/config.ts'
import { authService } from '../../src/auth/plugin.ts'
import { markOlder } from '../../src/platform/redis.ts'
import { buildService } from '../../src/platform/service.ts'
import { asking, house, until } from '../auth/house.ts'
import { folder } from '../support/folder.ts'
import { verifier } from './verifier.ts'

const [kept, audit] = [folder(t), folder(t)]
const { app, env, url, redis, person, admin } = await house(t, { AUDIT_DIR: audit })
const other = await verifier(t, env, url)

/** Stops Redis, does something to its data, starts it again, and waits until the other service has found it. */
async function meanwhile(change: () => void) {
  await redis.stop()
  change()
  await redis.start()
  await until(async () => (await other.redis.ping().catch(() => '')) === 'PONG')
}
const copy = (from: string, to: string) => {
  rmSync(to, { recursive: true, force: true })
  cpSync(from, to, { recursive: true })
}

const [ada, gone] = [await person('ada'), await person('ada')]
const made = await ada.ask('POST', '/api-keys', { name: 'k', permissions: ['read:rag'], expires_in_days: 1 })
const key = { authorization: `Bearer ${made.body.key}` }
const statuses = async () => {
  const who = [ada.headers, gone.headers, key].map(headers => asking(other, headers)('GET', '/who'))
  return (await Promise.all(who)).map(({ status }) => status)
}
const start = (AUDIT_DIR: string) => buildService(authService(authConfig({ ...env, AUDIT_DIR })))
const UNAVAILABLE = { status: 503, body: { code: 'unavailable', request_id: String }, headers: { 'retry-after': '1' } }

t.test('once auth knows that Redis was put back, no service admits what was ended, nor anyone', async t => {
  t.same(await statuses(), [200, 200, 200])
  await meanwhile(() => copy(redis.dir, `${kept}/older`))
  await until(async () => (await app.inject('/ready')).statusCode === 200)
  await gone.ask('POST', '/logout')
  await ada.ask('DELETE', `/api-keys/${made.body.id}`)
  t.same(await statuses(), [200, 401, 401])
  await admin.ask('GET', '/audit/verify')
  await meanwhile(() => {
    copy(redis.dir, `${kept}/newer`)
    copy(`${kept}/older`, redis.dir)
  })
  await until(async () => (await app.inject('/health')).statusCode === 503)
  await until(async () => (await statuses()).every(status => status === 503))
  t.match(await asking(other, gone.headers)('GET', '/who'), UNAVAILABLE)
  t.match(await asking(other)('GET', '/ready'), { status: 503, body: { details: [{ path: 'redis' }] } })
  t.match(await asking(app)('GET', '/me'), UNAVAILABLE)
})

t.test('an auth that starts meanwhile refuses, and the others go on refusing', async t => {
  await app.close()
  await t.rejects(start(audit), { message: /^Redis holds less than the audit log/ })
  t.same(await statuses(), [503, 503, 503])
})

t.test('when Redis has all it once had, the others serve again without a restart', async t => {
  await meanwhile(() => copy(`${kept}/newer`, redis.dir))
  await until(async () => (await asking(other)('GET', '/ready')).status === 200)
  await until(async () => (await statuses())[0] === 200)
  t.same(await statuses(), [200, 401, 401], 'and what was ended is ended')
})

t.test('an auth that starts without finding anything lost takes back what another said', async t => {
  await markOlder(other.redis)
  await until(async () => (await statuses()).every(status => status === 503))
  const again = await start(audit)
  t.teardown(() => again.close())
  await until(async () => (await statuses())[0] === 200)
  t.same(await statuses(), [200, 401, 401])
})
