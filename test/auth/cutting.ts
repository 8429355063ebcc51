// The append-only file of Redis, cut: what a disk that filled up, a snapshot or a careless hand leave. Redis loads what is before the cut
// without a word, so it is for auth to notice that credentials which were ended have come back to life.
import { cpSync, mkdtempSync, readdirSync, readFileSync, rmSync, statSync, truncateSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import type { Test } from 'tap'
import { authConfig } from '../../src/auth/config.ts'
import { authService } from '../../src/auth/plugin.ts'
import { buildService } from '../../src/platform/service.ts'
import { privateRedis } from '../support/redis.ts'
import { seededNumbers } from '../support/seeded.ts'
import { actsOf, held } from './acts.ts'
import { asking, house } from './house.ts'

/** The file is cut before each of so many commands at its end too: there the last revocations are. */
const LAST_COMMANDS = 24
const REFUSAL = /^Redis holds less than the audit log on disk says it once did/

interface Credential {
  alive: boolean
  ask(app: Parameters<typeof asking>[0]): Promise<{ status: number }>
}

/** A Redis in which credentials were ended in every way, the last of them at the very end, and the audit folder beside it; both at rest. */
async function ended(t: Test) {
  const dir = mkdtempSync(join(tmpdir(), 'cut-'))
  t.teardown(() => rmSync(dir, { recursive: true, force: true }))
  const home = await house(t, { AUDIT_DIR: join(dir, 'audit') })
  const credentials: Credential[] = []
  // The acts of an admin end most in the shortest time, so one of them is the last.
  for (const [i, { act, ends }] of actsOf(home).toReversed().entries()) {
    const all = await held(home, `user${i}`)
    const first = { ...all, second: await home.person(`user${i}`) }
    await act(first)
    for (const [j, { headers }] of [first.ada, first.second, first.key].entries())
      credentials.push({ alive: !ends[j], ask: app => asking(app, headers)('GET', '/me') })
    for (const [j, { refresh_token }] of [first.ada, first.second].entries())
      if (ends[j]) credentials.push({ alive: false, ask: app => asking(app)('POST', '/refresh', { refresh_token }) })
  }
  const last = await held(home, 'last')
  await home.admin.ask('PATCH', `/users/${last.ada.user_id}`, { disabled: true })
  for (const { headers } of [last.ada, last.second, last.key])
    credentials.push({ alive: false, ask: app => asking(app, headers)('GET', '/me') })
  await home.admin.ask('GET', '/audit/verify')
  await home.app.close()
  await home.redis.stop()
  cpSync(home.redis.dir, join(dir, 'redis'), { recursive: true })
  return { dir, env: home.env, credentials }
}

/** Cuts the file at `count` random places and before each of its last commands, starts Redis and auth on each, and holds auth to: it refuses to start, or nothing dead is alive. */
export async function cutAnywhere(t: Test, count: number, seed: number) {
  const { dir, env, credentials } = await ended(t)
  const folder = 'appendonlydir'
  const file = readdirSync(join(dir, 'redis', folder)).find(name => name.endsWith('.incr.aof')) ?? ''
  const { size } = statSync(join(dir, 'redis', folder, file))
  const number = seededNumbers(seed)
  const text = readFileSync(join(dir, 'redis', folder, file), 'latin1')
  const commands = [...text.matchAll(/^\*\d+\r\n\$\d+\r\n/gm)].map(({ index }) => index)
  const places = [...commands.slice(-LAST_COMMANDS), ...Array.from({ length: count }, () => number(size))]
  let refused = 0
  for (const [i, at] of [size, ...places].entries()) {
    const [data, audit] = [join(dir, `data${i}`), join(dir, `audit${i}`)]
    cpSync(join(dir, 'redis'), data, { recursive: true })
    cpSync(join(dir, 'audit'), audit, { recursive: true })
    truncateSync(join(data, folder, file), at)
    const redis = await privateRedis(t, data)
    try {
      const app = await buildService(authService(authConfig({ ...env, REDIS_URL: redis.url, AUDIT_DIR: audit })))
      for (const { alive, ask } of credentials) {
        const { status } = await ask(app)
        if (!alive && status !== 401 && status !== 503) t.fail(`cut at ${at} of ${size}: auth serves what was ended (${status})`)
        if (alive && at === size) t.equal(status, 200, 'uncut, what is alive is alive')
      }
      await app.close()
    } catch (error) {
      refused += 1
      if (at === size || !REFUSAL.test((error as Error).message)) t.fail(`cut at ${at} of ${size}: ${(error as Error).message}`)
    }
    await redis.stop()
  }
  t.ok(refused >= count / 2, `${places.length} cuts of ${size} bytes, ${refused} of them refused`)
}
