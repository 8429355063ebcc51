// How long an event stands in Redis before it is sealed, measured while the replica that seals is killed again and again.
import { type ChildProcess, spawn } from 'node:child_process'
import { once } from 'node:events'
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { setTimeout as pause } from 'node:timers/promises'
import Fastify from 'fastify'
import t from 'tap'
import Type from 'typebox'
import { earlier } from '../../src/auth/segments.ts'
import { loadConfig, type SharedConfig, shared } from '../../src/platform/config.ts'
import { registerRedis } from '../../src/platform/redis.ts'
import { until } from '../auth/house.ts'
import { send } from '../support/client.ts'
import { freePort, privateRedis } from '../support/redis.ts'
import { environment, password } from '../support/services.ts'

const KILLS = 20
const WINDOW_MS_MAX = 1000
const STREAM = 'audit:{audit}:events'
const EVENT = JSON.stringify({ action: 'x', outcome: 'allowed', user_id: null, address: null, request_id: null, service: 'rag' })

t.test('every event is sealed within a second, though the replica that seals is killed twenty times', async t => {
  const dir = mkdtempSync(join(tmpdir(), 'window-'))
  t.teardown(() => rmSync(dir, { recursive: true, force: true }))
  const env = environment(await privateRedis(t), { AUDIT_DIR: dir, ADMIN_USERNAME: 'root', ADMIN_PASSWORD: password })
  const client = Fastify()
  t.teardown(() => client.close())
  await registerRedis(client, loadConfig(Type.Object(shared), env) as SharedConfig)
  const { redis } = client

  const replicas: ChildProcess[] = []
  t.teardown(() => replicas.map(one => one.kill('SIGKILL')))
  async function start() {
    const url = `http://127.0.0.1:${await freePort()}`
    const replica = spawn(process.execPath, [join(import.meta.dirname, '../../src/auth/main.ts')], {
      env: { ...env, AUTH_SERVICE_PORT: new URL(url).port },
      stdio: 'ignore',
    })
    replicas.push(replica)
    await until(async () => (await send(url, 'GET', '/ready').catch(() => undefined))?.status === 200)
    return { replica, url }
  }

  let over = false
  const waits: number[] = []
  /** Adds an event every few milliseconds, and notes how long each stood before the head reached it. */
  async function watch() {
    const open: { id: string; since: number }[] = []
    while (!over || open.length > 0) {
      if (!over) open.push({ since: performance.now(), id: String(await redis.xadd(STREAM, '*', 'event', EVENT)) })
      const { id = '0-0' } = JSON.parse((await redis.get('{audit}:head')) ?? '{}') as { id?: string }
      for (let first = open[0]; first && !earlier(id, first.id); first = open[0]) {
        waits.push(performance.now() - first.since)
        open.shift()
      }
      await pause(5)
    }
  }

  // The one that started first holds the lease; when it is killed the other takes over, and a third stands by.
  let [holder, next] = [await start(), await start()]
  const watching = watch()
  for (let kills = 0; kills < KILLS; kills++) {
    await pause(200 + 37 * kills)
    const ended = once(holder.replica, 'exit')
    holder.replica.kill('SIGKILL')
    await ended
    holder = next
    next = await start()
  }
  over = true
  await watching
  const longest = Math.round(Math.max(...waits))
  t.comment(`${waits.length} events, ${KILLS} kills: the longest stood ${longest} ms before it was sealed`)
  t.ok(longest <= WINDOW_MS_MAX, `${longest} ms`)
  const { body } = await send(holder.url, 'POST', '/login', { username: 'root', password })
  const verdict = await send(holder.url, 'GET', '/audit/verify', undefined, { authorization: `Bearer ${body.token}` })
  t.match(verdict.body, { valid: true, entries: await redis.xlen(STREAM) })
})
