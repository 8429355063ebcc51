import { copyFileSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import type { Test } from 'tap'
import t from 'tap'
import { privateRedis } from '../support/redis.ts'
import { auth, environment, password, signedIn } from '../support/services.ts'

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
    ['logout allowed', 'access denied', 'login denied', 'login allowed', 'register allowed'],
  )
  t.match(events[0], { target: ada.session_id, service: 'authentication', address: '127.0.0.1', request_id: /./, time: /Z$/ })
  const denied = await get(`/audit?user_id=${ada.user_info.user_id}&outcome=denied&limit=1`)
  t.match(denied.events, [{ action: 'access', target: 'GET /audit' }])
  const rest = await get(`/audit?user_id=${ada.user_info.user_id}&outcome=denied&limit=1&cursor=${denied.next_cursor}`)
  t.match(rest.events, [{ action: 'login' }])
})

t.test('a refusal that is repeated is told once and counted', async t => {
  const { app, get } = await withAdmin(t)
  const ada = await signedIn(app, 'ada')
  for (let i = 0; i < 20; i++) await app.inject({ url: '/users', headers: ada.headers })
  const { events } = await get('/audit?action=access')
  t.equal(events.length, 1)
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

t.test('a signing in that cannot be recorded does not happen', async t => {
  const { app } = await withAdmin(t)
  await app.redis.del('audit:{audit}:events')
  await app.redis.set('audit:{audit}:events', 'not a stream')
  const reply = await app.inject({ method: 'POST', url: '/login', payload: { username: 'root', password } })
  t.equal(reply.statusCode, 500)
  t.match(reply.json(), { code: 'internal' })
})
