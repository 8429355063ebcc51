import { createHash } from 'node:crypto'
import t from 'tap'
import { due, type KeyTimes } from '../../src/auth/keyring.ts'
import { verifier } from '../platform/verifier.ts'
import { privateRedis } from '../support/redis.ts'
import { auth, environment } from '../support/services.ts'
import { asking, house, personAt, until } from './house.ts'
import { signingKey } from './signing.ts'

const RING = '{keyring}:keys'
const MINUTE_MS = 60_000

type Slot = { kid: string; published_at: number; signs_from: number; last_signed?: number }

/** Walks through time in steps as a replica does and notes what breaks the promise of the schedule. */
function walk(times: KeyTimes, stepMs: number, lengthMs: number) {
  const faults: string[] = []
  const ring = new Map<string, Slot>()
  const signed = new Set<string>()
  let most = 0
  for (let now = 0; now < lengthMs; now += stepMs) {
    const { make, drop, signing } = due([...ring.values()], times, now)
    for (const kid of drop) {
      const lastSigned = ring.get(kid)?.last_signed ?? Number.NEGATIVE_INFINITY
      if (now < lastSigned + times.tokenMs) faults.push(`${now}: ${kid} goes while tokens it signed live`)
      ring.delete(kid)
    }
    if (make) ring.set(`k${ring.size}.${now}`, { kid: `k${ring.size}.${now}`, ...make })
    const key = ring.get(signing ?? [...ring.keys()][0] ?? '')
    if (!key) {
      faults.push(`${now}: nothing signs`)
      continue
    }
    if (signed.size > 0 && !signed.has(key.kid) && now < key.published_at + times.cacheMs)
      faults.push(`${now}: ${key.kid} signs before everyone has read it`)
    key.last_signed = now
    signed.add(key.kid)
    most = Math.max(most, ring.size)
  }
  return { faults, signed: signed.size, most }
}

t.test(
  'the schedule: something signs at every moment, nothing before all have read it, nothing gone while its tokens live',
  async t => {
    const every: [KeyTimes, number][] = [
      [{ cacheMs: 10 * MINUTE_MS, rotationMs: 30 * 24 * 60 * MINUTE_MS, tokenMs: 15 * MINUTE_MS }, MINUTE_MS],
      [{ cacheMs: 10 * MINUTE_MS, rotationMs: 60 * MINUTE_MS, tokenMs: 15 * MINUTE_MS }, 1000],
      [{ cacheMs: 1000, rotationMs: 20_000, tokenMs: 24 * 60 * MINUTE_MS }, 1000],
      [{ cacheMs: 60 * MINUTE_MS, rotationMs: 5 * MINUTE_MS, tokenMs: MINUTE_MS }, 1000],
    ]
    for (const [times, stepMs] of every) {
      const { faults, signed } = walk(times, stepMs, 5 * (times.rotationMs + times.cacheMs))
      t.same(faults.slice(0, 3), [], JSON.stringify(times))
      t.ok(signed >= 4, `${signed} keys have signed`)
    }
    const ordinary = walk(
      { cacheMs: 10 * MINUTE_MS, rotationMs: 24 * 60 * MINUTE_MS, tokenMs: 15 * MINUTE_MS },
      MINUTE_MS,
      5 * 24 * 60 * MINUTE_MS,
    )
    t.ok(ordinary.most <= 3, 'next, active and retiring')
  },
)

t.test('the schedule is a function of ring and time alone', async t => {
  const times = { cacheMs: 1000, rotationMs: 60_000, tokenMs: 1000 }
  t.same(due([], times, 5), { make: { published_at: 5, signs_from: 5 }, drop: [], signing: undefined })
  const first = { kid: 'a', published_at: 0, signs_from: 0 }
  t.same(due([first], times, 53_999), { make: undefined, drop: [], signing: 'a' })
  t.same(due([first], times, 54_000), { make: { published_at: 54_000, signs_from: 60_000 }, drop: [], signing: 'a' })
  const next = { kid: 'b', published_at: 54_000, signs_from: 60_000 }
  t.equal(due([next, first], times, 59_999).signing, 'a')
  t.equal(due([next, first], times, 60_000).signing, 'b')
  t.same(due([next, first], times, 65_999).drop, [])
  t.same(due([next, first], times, 66_000).drop, ['a'])
  t.same(due([{ ...first, signs_from: -1e9 }], times, 0).make, { published_at: 0, signs_from: 6000 }, 'late, but published first')
})

t.test(
  'replicas that start at the same moment share one ring, whose key ids are thumbprints and whose keys are public',
  async t => {
    const env = environment(await privateRedis(t))
    const replicas = await Promise.all(Array.from({ length: 4 }, () => auth(t, env)))
    const sets = await Promise.all(replicas.map(({ app }) => asking(app)('GET', '/.well-known/jwks.json')))
    for (const { body, headers } of sets) {
      t.same(body, sets[0]?.body)
      t.equal(headers['cache-control'], 'public, max-age=600')
    }
    const [key, ...more] = sets[0]?.body.keys ?? []
    t.same(more, [])
    t.same(Object.keys(key).toSorted(), ['alg', 'crv', 'kid', 'kty', 'use', 'x'])
    const thumbprint = createHash('sha256').update(`{"crv":"${key.crv}","kty":"${key.kty}","x":"${key.x}"}`).digest('base64url')
    t.match(key, { kid: thumbprint, alg: 'EdDSA', use: 'sig', crv: 'Ed25519' })
    const ada = await personAt(replicas[0]?.app as never, 'ada')
    for (const { app } of replicas) t.equal((await asking(app, ada.headers)('GET', '/me')).status, 200)
  },
)

t.test('the private key lies in Redis wrapped, never in clear', async t => {
  const { app, env } = await house(t)
  const { privateKey } = await signingKey(app.redis, env.JWT_SECRET_KEY)
  const d = Buffer.from(String(privateKey.export({ format: 'jwk' }).d), 'base64url')
  const forms = ['latin1', 'hex', 'base64', 'base64url'].map(encoding => d.toString(encoding as BufferEncoding))
  for (const key of await app.redis.keys('*')) {
    const held = (await app.redis.dumpBuffer(key))?.toString('latin1') ?? ''
    for (const form of [...forms, 'PRIVATE KEY', '"d":', env.JWT_SECRET_KEY as string, env.SECRET_KEY as string])
      if (held.includes(form)) t.fail(`${key} holds it in clear`)
  }
  t.ok(await app.redis.exists(RING))
})

t.test('a key that has signed goes on verifying everywhere while the next one takes over', async t => {
  const { app, env, url, person } = await house(t)
  const other = await verifier(t, env, url)
  const old = await person('ada')
  const kidOf = (token: string) => JSON.parse(Buffer.from(token.split('.')[0] ?? '', 'base64url').toString()).kid as string
  const published = async () =>
    (await asking(app)('GET', '/.well-known/jwks.json')).body.keys.map(({ kid }: { kid: string }) => kid)
  const good = async ({ headers }: typeof old) => {
    t.equal((await asking(app, headers)('GET', '/me')).status, 200)
    t.equal((await asking(other, headers)('GET', '/who')).status, 200)
  }
  /** Moves a key in time, as if its hour had come. */
  const move = async (kid: string, change: (key: Slot) => object) => {
    const key = JSON.parse((await app.redis.hget(RING, kid)) ?? '') as Slot
    await app.redis
      .multi()
      .hset(RING, kid, JSON.stringify({ ...key, ...change(key) }))
      .hincrby(RING, 'revision', 1)
      .exec()
  }
  await good(old)
  const first = kidOf(old.token)
  await move(first, key => ({ signs_from: key.signs_from - 31 * 24 * 60 * MINUTE_MS }))
  await until(async () => (await published()).length === 2)
  const second = (await published()).find((kid: string) => kid !== first)
  const between = await person('ada')
  t.equal(kidOf(between.token), first, 'published, but not signing yet')
  await move(second, () => ({ signs_from: Date.now() }))
  await until(async () => kidOf((await person('ada')).token) === second)
  const young = await person('ada')
  // Here the key signs before its time, so the other service has to look once more before it knows it.
  await until(async () => (await asking(other, young.headers)('GET', '/who')).status === 200)
  for (const one of [old, between, young]) await good(one)
  await move(second, () => ({ signs_from: Date.now() - 21 * MINUTE_MS }))
  await until(async () => !(await published()).includes(first))
  await good(young)
})

t.test('a JWT_SECRET_KEY that does not fit stops auth with a sentence and changes nothing', async t => {
  const { app, env } = await house(t)
  const before = await app.redis.hgetall(RING)
  await t.rejects(auth(t, { ...env, JWT_SECRET_KEY: environment(await privateRedis(t)).JWT_SECRET_KEY }), {
    message: /^JWT_SECRET_KEY does not open the stored signing keys; append the secret it replaced/,
  })
  t.same(await app.redis.hgetall(RING), before)
})
