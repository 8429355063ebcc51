import { createHash } from 'node:crypto'
import { copyFileSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import type { Test } from 'tap'
import t from 'tap'
import { privateRedis } from '../support/redis.ts'
import { auth, environment, password, signedIn } from '../support/services.ts'
import { until } from './house.ts'

async function withAdmin(t: Test) {
  const redis = await privateRedis(t)
  const dir = mkdtempSync(join(tmpdir(), 'audit-'))
  t.teardown(() => rmSync(dir, { recursive: true, force: true }))
  const env = environment(redis, { ADMIN_USERNAME: 'root', ADMIN_PASSWORD: password, AUDIT_DIR: dir })
  const { app } = await auth(t, env)
  const admin = await signedIn(app, 'root')
  const get = async (url: string) => (await app.inject({ url, headers: admin.headers })).json()
  return { redis, dir, app, env, get }
}

t.test('what matters is recorded with who, what, outcome and request id, newest first, filtered and paged', async t => {
  const { app, get } = await withAdmin(t)
  const ada = await signedIn(app, 'ada')
  await app.inject({ method: 'POST', url: '/login', payload: { username: 'ada', password: 'not hers at all' } })
  await app.inject({ url: '/audit', headers: ada.headers })
  await app.inject({ method: 'POST', url: '/logout', headers: ada.headers })
  const { events } = await get(`/audit?user_id=${ada.user_info.user_id}`)
  t.same(
    events.map(({ action, outcome }: { action: string; outcome: string }) => `${action} ${outcome}`),
    ['sessions_end allowed', 'logout allowed', 'access denied', 'login denied', 'login allowed', 'register allowed'],
  )
  t.match(events[0], { target: ada.session_id, service: 'authentication', address: '127.0.0.1', request_id: /./, time: /Z$/ })
  const denied = await get(`/audit?user_id=${ada.user_info.user_id}&outcome=denied&limit=1`)
  t.match(denied.events, [{ action: 'access', target: 'GET /audit' }])
  const rest = await get(`/audit?user_id=${ada.user_info.user_id}&outcome=denied&limit=1&cursor=${denied.next_cursor}`)
  t.match(rest.events, [{ action: 'login' }])
})

t.test('a refusal that is repeated is told once, and once more at the end of its minute with how often', async t => {
  const { app, env, get } = await withAdmin(t)
  const ada = await signedIn(app, 'ada')
  for (let i = 0; i < 20; i++) await app.inject({ url: '/users', headers: ada.headers })
  t.equal((await get('/audit?action=access')).events.length, 1)
  await app.close()
  const next = await auth(t, env)
  const root = await signedIn(next.app, 'root')
  const { events } = (await next.app.inject({ url: '/audit?action=access', headers: root.headers })).json()
  t.match(events, [
    { count: 19, user_id: ada.user_info.user_id, target: 'GET /users' },
    { outcome: 'denied', user_id: ada.user_info.user_id, target: 'GET /users' },
  ])
})

t.test('a network of addresses is one, and a crowd of them keeps no caller from being told', async t => {
  const { app, get } = await withAdmin(t)
  const ada = await signedIn(app, 'ada')
  const stranger = { authorization: `Bearer ${'x'.repeat(20)}.y.z` }
  for (let n = 0; n < 30; n++) await app.inject({ url: '/me', headers: { ...stranger, 'x-forwarded-for': `2001:db8:1:2::${n}` } })
  t.equal((await get('/audit?action=access')).events.length, 1)
  for (let n = 0; n < 10_000; n++)
    await app.inject({ url: '/me', headers: { ...stranger, 'x-forwarded-for': `10.1.${n >> 8}.${n & 255}` } })
  // A busy machine may answer 503 for a while, which is no refusal.
  const refused = async () => (await app.inject({ url: '/users', headers: ada.headers })).statusCode === 403
  await until(refused)
  const told = () => get(`/audit?action=access&user_id=${ada.user_info.user_id}`)
  await until(async () => (await told()).events.length > 0)
  t.match((await told()).events[0], { target: 'GET /users' })
})

t.test('a used-up limit and a credential that opens nothing are refusals to tell; a visitor without one is not', async t => {
  const { app, get, env } = await withAdmin(t)
  const ada = await signedIn(app, 'ada')
  await app.inject({ method: 'POST', url: '/logout', headers: ada.headers })
  for (let i = 0; i < 5; i++) {
    t.equal((await app.inject({ url: '/me', headers: ada.headers })).statusCode, 401)
    await app.inject('/me')
    await app.inject('/nothing')
  }
  t.match((await get('/audit?action=access')).events, [
    { outcome: 'denied', user_id: null, address: '127.0.0.1', target: 'GET /me' },
  ])
  const limited = await auth(t, { ...env, LIMIT_CALLER_PER_MIN: '2' })
  const eve = await signedIn(app, 'eve')
  for (let i = 0; i < 5; i++) await limited.app.inject({ url: '/me', headers: eve.headers })
  t.match((await get('/audit?action=limit')).events, [{ outcome: 'denied', user_id: eve.user_info.user_id, target: 'GET /me' }])
})

t.test('every tampering with the sealed log is found, and an untouched log is valid', async t => {
  const { app, dir, get } = await withAdmin(t)
  for (let i = 0; i < 6; i++) {
    await signedIn(app, `user${i}`)
    t.match(await get('/audit/verify'), { valid: true, first_bad: null })
  }
  const path = join(dir, '00000001.jsonl')
  const whole = readFileSync(path, 'utf8')
  const lines = whole.trimEnd().split('\n')
  const tamperings: [string, (at: number) => string[]][] = [
    ['edited', at => lines.with(at, (lines[at] as string).replace(/allowed|denied|[0-9a-f]{8}/, 'x'))],
    ['deleted', at => lines.toSpliced(at, 1)],
    ['inserted', at => lines.toSpliced(at, 0, lines[at] as string)],
    ['reordered', at => lines.with(at, lines[at - 1] as string).with(at - 1, lines[at] as string)],
    ['cut off', at => lines.slice(0, at)],
  ]
  let found = 0
  for (const [kind, tamper] of tamperings) {
    for (let at = 1; at < lines.length; at++) {
      writeFileSync(path, `${tamper(at).join('\n')}\n`)
      const verdict = await get('/audit/verify')
      if (verdict.valid) t.fail(`line ${at} ${kind} went unnoticed`)
      else found += 1
    }
  }
  t.equal(found, tamperings.length * (lines.length - 1))
  writeFileSync(path, whole)
  t.match(await get('/audit/verify'), { valid: true })

  const [event] = await app.redis.xrange('audit:{audit}:events', '-', '+', 'COUNT', 1)
  await app.redis.xdel('audit:{audit}:events', event?.[0] ?? '')
  t.match(await get('/audit/verify'), { valid: true }, 'what was only trimmed from the front is still on disk')
  const [, second] = await app.redis.xrange('audit:{audit}:events', '-', '+', 'COUNT', 2)
  await app.redis.xdel('audit:{audit}:events', second?.[0] ?? '')
  t.match(await get('/audit/verify'), { valid: false, first_bad: { seq: 3 } })
})

t.test('what is on disk alone is held by its chain and its seals, and the first bad entry is named', async t => {
  const { app, dir, get } = await withAdmin(t)
  for (let i = 0; i < 4; i++) {
    await signedIn(app, `user${i}`)
    await get('/audit/verify')
  }
  await app.redis.xtrim('audit:{audit}:events', 'MAXLEN', 1)
  const path = join(dir, '00000001.jsonl')
  const whole = readFileSync(path, 'utf8')
  const lines = whole.trimEnd().split('\n')
  t.match(await get('/audit/verify'), { valid: true })
  /** The log with one event told otherwise, and all hashes after it made anew, as anyone can who has no key. */
  const retold = (at: number) => {
    let prev = ''
    return lines.map((line, i) => {
      const { seal, ...entry } = JSON.parse(line)
      if (seal) return JSON.stringify({ seal: { ...seal, hash: prev } })
      if (i === at) entry.text = entry.text.replace('allowed', 'denied')
      entry.prev = prev || entry.prev
      entry.hash = prev = createHash('sha256').update(`${entry.prev}\n${entry.seq}\n${entry.id}\n${entry.text}`).digest('hex')
      return JSON.stringify(entry)
    })
  }
  // But for the last two, which the stream and the recorded head vouch for.
  const told = lines.flatMap((line, i) => (line.includes('\\"allowed\\"') ? [i] : [])).slice(0, -2)
  t.equal(told.length, 8)
  for (const at of told) {
    const { seq } = JSON.parse(lines[at] as string)
    writeFileSync(path, `${lines.with(at, (lines[at] as string).replace('allowed', 'denied')).join('\n')}\n`)
    t.match(await get('/audit/verify'), { valid: false, first_bad: { seq, problem: 'an entry was changed' } })
    writeFileSync(path, `${retold(at).join('\n')}\n`)
    const { first_bad } = await get('/audit/verify')
    t.match(first_bad, { problem: 'a seal was not signed by this log' }, `entry ${seq}`)
    const seal = lines.findIndex((line, i) => i > at && line.startsWith('{"seal"'))
    t.equal(first_bad.seq, JSON.parse(lines[seal - 1] as string).seq + 1, 'by the seal of its batch')
  }
  writeFileSync(path, whole)
  t.match(await get('/audit/verify'), { valid: true })
})

t.test('a log rolled back to an older copy of itself is found', async t => {
  const { app, dir, get } = await withAdmin(t)
  await get('/audit/verify')
  for (const name of ['00000001.jsonl', 'head.json']) copyFileSync(join(dir, name), join(dir, `${name}.old`))
  await signedIn(app, 'ada')
  t.match(await get('/audit/verify'), { valid: true })
  for (const name of ['00000001.jsonl', 'head.json']) copyFileSync(join(dir, `${name}.old`), join(dir, name))
  t.match(await get('/audit/verify'), { valid: false, first_bad: { problem: 'the log ends before its recorded head' } })
})

t.test('auth does not start on a Redis that holds less than the log on disk', async t => {
  const { app, env, get } = await withAdmin(t)
  await get('/audit/verify')
  await app.redis.flushall()
  await t.rejects(auth(t, env), /Redis holds less than the audit log on disk/)
})

t.test('a running auth whose Redis loses what was sealed serves nothing more', async t => {
  const { app, get } = await withAdmin(t)
  await get('/audit/verify')
  const [last] = await app.redis.xrevrange('audit:{audit}:events', '+', '-', 'COUNT', 1)
  await app.redis
    .multi()
    .xdel('audit:{audit}:events', last?.[0] ?? '')
    .xadd('audit:{audit}:events', '*', 'event', '{}')
    .exec()
  await until(async () => (await app.inject('/ready')).statusCode === 503)
  for (const url of ['/me', '/health', '/.well-known/jwks.json', '/nothing'])
    t.match((await app.inject(url)).json(), { code: 'unavailable' }, url)
})
