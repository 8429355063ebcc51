// The signing keys changed again and again while people work, through a real Envoy, every part a process of its own.
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { setTimeout as pause } from 'node:timers/promises'
import type { Test } from 'tap'
import { startStack } from '../../deploy/stack.ts'
import { person, send } from '../support/client.ts'
import { until } from './house.ts'

/** A key is published 6 s (a second for those who read it, five of slack) before it signs, so it can change every 7 s. */
const variables = {
  JWKS_CACHE_S: '1',
  KEY_ROTATION_HOURS: String(7 / 3600),
  TOKEN_EXPIRY_MINUTES: '0.5',
  ...Object.fromEntries(['ADDRESS', 'CALLER', 'LOGIN', 'LOGIN_ACCOUNT'].map(name => [`LIMIT_${name}_PER_MIN`, '0'])),
  LIMIT_REGISTER_PER_5MIN: '0',
}
/** How long a token is used, in milliseconds: nearly as long as it lives. */
const USED_MS = 25_000
const ROTATION_MS_MAX = 60_000
/** Between two sign-ins and between two requests of one client, in milliseconds. */
const SIGN_IN_EVERY_MS = 200
const REQUEST_EVERY_MS = 5
const CLIENTS = 6
const paths = ['/auth/me', '/agent/status', '/rag/status']

const kidOf = (token: string) => JSON.parse(Buffer.from(token.split('.')[0] ?? '', 'base64url').toString()).kid as string

/** Rotates `rotations` times, then restarts auth, restarts Envoy and takes auth away for a while: no token that holds is ever refused. */
export async function rotateUnderLoad(t: Test, rotations: number) {
  const dir = mkdtempSync(join(tmpdir(), 'rotating-'))
  t.teardown(() => rmSync(dir, { recursive: true, force: true }))
  const stack = await startStack({ dir, env: variables })
  t.teardown(() => stack.stop())
  const { url } = stack

  const tokens: { token: string; since: number }[] = []
  const kids = new Set<string>()
  /** `status path` → how often; a connection that failed is status 0. */
  const seen = new Map<string, number>()
  let over = false
  async function signIn(name: string) {
    const one = await person(url, name).catch(() => undefined)
    if (!one) return
    tokens.push({ token: one.token, since: Date.now() })
    kids.add(kidOf(one.token))
  }
  async function signInAgainAndAgain() {
    // Several names: one has a bounded number of sessions.
    for (let i = 0; !over; i++, await pause(SIGN_IN_EVERY_MS)) await signIn(`user${i % 5}`)
  }
  async function work() {
    for (let i = 0; !over; i++, await pause(REQUEST_EVERY_MS)) {
      while ((tokens[0]?.since ?? Number.POSITIVE_INFINITY) < Date.now() - USED_MS) tokens.shift()
      const { token } = tokens[Math.floor(Math.random() * tokens.length)] ?? {}
      const path = paths[i % paths.length] as string
      if (!token) continue
      const status = await send(url, 'GET', path, undefined, { authorization: `Bearer ${token}` }).then(
        reply => reply.status,
        () => 0,
      )
      seen.set(`${status} ${path}`, (seen.get(`${status} ${path}`) ?? 0) + 1)
    }
  }
  /** What was seen since the last time, but for what is `fine`; on a machine so busy that Redis keeps a request waiting too long, 503 is. */
  function unexpected(fine: (status: number) => boolean = () => false) {
    const all = [...seen].filter(([key]) => {
      const status = Number(key.split(' ')[0])
      return status !== 200 && status !== 503 && !fine(status)
    })
    seen.clear()
    return all
  }
  /** What was seen since the last time, in words. */
  const told = () => [...seen].map(([key, count]) => `${count} times ${key}`).join(', ')
  /** Waits until each path was answered `count` times more. */
  const answered = async (count: number, of = paths) => {
    const before = of.map(path => seen.get(`200 ${path}`) ?? 0)
    await until(() => of.every((path, i) => (seen.get(`200 ${path}`) ?? 0) >= (before[i] ?? 0) + count))
  }

  await signIn('user0')
  const working = [signInAgainAndAgain(), ...Array.from({ length: CLIENTS }, work)]
  try {
    const late = Date.now() + rotations * ROTATION_MS_MAX
    while (kids.size <= rotations && Date.now() < late) await pause(100)
    await answered(50)
    t.ok(kids.size > rotations, `${kids.size} keys have signed: ${told()}`)
    t.same(unexpected(), [], 'while keys change, every token is good everywhere')

    await stack.restart('auth')
    await answered(20)
    t.same(unexpected(), [], 'auth restarted: no token is refused')

    await stack.restart('envoy')
    await answered(20)
    t.same(
      unexpected(status => status === 0),
      [],
      'Envoy restarted: no token is refused',
    )

    const failures = async () => {
      const stats = await (await fetch(`http://127.0.0.1:${stack.ports.admin}/stats?filter=jwks_fetch_failed`)).text()
      return [...stats.matchAll(/: (\d+)$/gm)].reduce((sum, [, count]) => sum + Number(count), 0)
    }
    const before = await failures()
    await stack.kill('auth')
    await until(async () => (await failures()) >= before + 3)
    await answered(20, ['/agent/status', '/rag/status'])
    t.comment(`without auth: ${told()}`)
    t.same(unexpected(), [], 'the keys cannot be read: those that are known go on')
    await stack.restart('auth')
    const keys = kids.size
    await until(() => tokens.some(({ since }) => since > Date.now() - 1000))
    await answered(20)
    t.ok(kids.size >= keys)
    t.same(unexpected(), [], 'and auth is back')
  } finally {
    over = true
    await Promise.all(working)
  }
}
