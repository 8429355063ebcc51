// Several replicas of auth and one sealed log: whoever seals, and whatever becomes of it, there is one chain.
import { mkdirSync, mkdtempSync, readdirSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import t, { type Test } from 'tap'
import { openAuditLog } from '../../src/auth/audit-log.ts'
import { openWrap } from '../../src/auth/secrets.ts'
import { emptyHead, openSegments } from '../../src/auth/segments.ts'
import type { Redis } from '../../src/platform/redis.ts'
import { onceAvailable } from '../support/client.ts'
import { folder } from '../support/folder.ts'
import { privateRedis } from '../support/redis.ts'
import { environment } from '../support/services.ts'
import { type Ask, asking, connection, house, personAt, until } from './house.ts'

const STREAM = 'audit:{audit}:events'
const LEASE = '{audit}:lease'
const EVENT = JSON.stringify({ action: 'x', outcome: 'allowed', user_id: null, address: null, request_id: null, service: 'rag' })
/** Adds events, a thousand at once, until the stream holds `count`. A busy machine may be late with an answer; it is asked again. */
async function fill(redis: Redis, count: number) {
  const add = `for i = 1, 1000 do redis.call('XADD', KEYS[1], '*', 'event', ARGV[1]) end`
  for (let held = 0; held < count; held = await redis.xlen(STREAM).catch(() => 0))
    await redis.eval(add, 1, STREAM, EVENT).catch(() => 0)
}

async function replicas(t: Test) {
  const dir = mkdtempSync(join(tmpdir(), 'audit-'))
  t.teardown(() => rmSync(dir, { recursive: true, force: true }))
  const home = await house(t, { AUDIT_DIR: dir })
  const second = asking(await home.replica(), home.admin.headers)
  const { redis } = home.app
  const verifying = (ask: Ask) => async () => (await ask('GET', '/audit/verify')).body
  return { redis, verify: [verifying(home.admin.ask), verifying(second)], add: () => redis.xadd(STREAM, '*', 'event', EVENT) }
}

t.test('replicas that take the lease from each other at any moment seal one chain, each event once', async t => {
  const { redis, add, verify } = await replicas(t)
  for (let round = 0; round < 60; round++) {
    await add()
    // Each seals what is new before it looks; without the lease both may be about to at once.
    const looks = verify.map(look => look())
    for (let i = 0; i < 10; i++) await redis.del(LEASE)
    for (const verdict of await Promise.all(looks)) t.match(verdict, { valid: true, first_bad: null }, `round ${round}`)
  }
  const entries = await redis.xlen(STREAM)
  for (const look of verify) t.match(await look(), { valid: true, entries })
})

t.test('a log that grows while it is verified is valid', async t => {
  const { add, verify } = await replicas(t)
  let over = false
  const growing = (async () => {
    while (!over) await add()
  })()
  // While one looks, another seals what has come since.
  for (let i = 0; i < 10; i++) {
    const looks = Array.from({ length: 6 }, (_, j) => verify[j % 2]?.())
    for (const verdict of await Promise.all(looks)) t.match(verdict, { valid: true, first_bad: null })
  }
  over = true
  await growing
})

t.test('a backlog longer than what Redis keeps is sealed whole, and auth serves and starts on it', async t => {
  const home = await house(t, { AUDIT_DIR: folder(t) })
  await home.admin.ask('GET', '/audit/verify')
  await home.app.close()
  const redis = await connection(t, home.env)
  await fill(redis, 60_000)
  const waiting = await redis.xlen(STREAM)
  const app = await home.replica()
  const sealed = async () => JSON.parse((await redis.get('{audit}:head')) ?? '{}').seq as number
  await until(async () => (await sealed()) >= waiting || (await app.inject('/health')).statusCode === 503)
  const root = await personAt(app, 'root')
  // To read so much from Redis takes a busy machine long, and then it is asked again.
  const { body } = await onceAvailable(
    () => root.ask('GET', '/audit/verify'),
    ({ status }) => status,
  )
  t.match(body, { valid: true })
  t.ok(body.entries > waiting, `${body.entries} of ${waiting}`)
  t.ok((await redis.xlen(STREAM)) < waiting, 'what is sealed leaves Redis')
  await app.close()
  t.equal((await (await home.replica()).inject('/health')).statusCode, 200)
})

t.test('many verifications at once share a walk over the log', async t => {
  const { redis, verify } = await replicas(t)
  await fill(redis, 5000)
  const pages = async () => Number(/cmdstat_xrange:calls=(\d+)/.exec(await redis.info('commandstats'))?.[1])
  const before = await pages()
  for (const verdict of await Promise.all(Array.from({ length: 50 }, () => verify[0]?.()))) t.match(verdict, { valid: true })
  const read = (await pages()) - before
  t.ok(read < 150, `${read} pages of the stream, where one walk has six`)
})

t.test('while Redis is silent nothing piles up: closing waits for what runs, and for one run more', async t => {
  const env = environment(await privateRedis(t))
  const redis = await connection(t, env)
  let failed = 0
  const log = await openAuditLog(redis, openWrap(String(env.JWT_SECRET_KEY), 'audit key'), folder(t), {
    onError: () => void failed++,
    onOlder: error => t.fail(error.message),
  })
  const pid = Number(/process_id:(\d+)/.exec(await redis.info('server'))?.[1])
  process.kill(pid, 'SIGSTOP')
  t.teardown(() => process.kill(pid, 'SIGCONT'))
  await until(() => failed >= 8)
  const before = failed
  await log.close()
  t.ok(failed - before <= 3, `${failed - before} more, the lease that was not given up among them`)
})

t.test('a head that cannot be put in its place leaves nothing beside it', async t => {
  const dir = folder(t)
  mkdirSync(join(dir, 'head.json'))
  const segments = openSegments(dir)
  await segments.recover()
  const { lines, head } = segments.chain(emptyHead, [{ id: '1-0', text: EVENT }])
  await t.rejects(segments.append(lines, { ...head, from: 0, kid: '', time: 0, signature: '' }), { code: /^E/ })
  t.same(readdirSync(dir).toSorted(), ['00000001.jsonl', 'head.json'])
})
