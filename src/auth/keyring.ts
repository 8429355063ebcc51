// The signing keys. They are random, live in Redis with the private half wrapped, and follow one schedule for all replicas: a key is
// published long enough for every verifier to know it before it signs, and stays published until the last token it signed has ended.
import { createPrivateKey, createPublicKey, generateKeyPairSync, type KeyObject } from 'node:crypto'
import { calculateJwkThumbprint, type JWK, SignJWT } from 'jose'
import { AUDIENCE, type Claims, ISSUER, TOKEN_TYPE } from '../contracts/claims.ts'
import { type Redis, script } from '../platform/redis.ts'
import type { Wrap } from './secrets.ts'

/** How often a replica reads the schedule, in milliseconds. */
const RELOAD_MS = 1000
/** Added to every published time: two readings of the schedule and the clocks of two machines. */
const SLACK_MS = 5000

const RING = '{keyring}:keys'

/** One key as stored. Times are milliseconds since 1970. */
interface StoredKey {
  kid: string
  public: JWK
  wrapped: string
  published_at: number
  signs_from: number
}
interface Key extends StoredKey {
  private: KeyObject
}

export interface KeyTimes {
  /** How long verifiers may go without reading the published keys, in milliseconds. */
  cacheMs: number
  rotationMs: number
  tokenMs: number
}

/** Applies one change to the ring if nobody else has changed it since it was read: ARGV revision, how many to set, kid and key each, kids to drop. */
const CHANGE = `
if (redis.call('HGET', KEYS[1], 'revision') or '0') ~= ARGV[1] then return 0 end
local sets = 2 * ARGV[2]
for i = 3, sets + 2, 2 do redis.call('HSET', KEYS[1], ARGV[i], ARGV[i + 1]) end
for i = sets + 3, #ARGV do redis.call('HDEL', KEYS[1], ARGV[i]) end
redis.call('HINCRBY', KEYS[1], 'revision', 1)
return 1`

/** What the schedule asks for now. Pure: same ring and time, same answer. */
export function due(keys: Pick<StoredKey, 'kid' | 'published_at' | 'signs_from'>[], times: KeyTimes, now: number) {
  const ordered = keys.toSorted((a, b) => a.signs_from - b.signs_from)
  const last = ordered.at(-1)
  const lead = times.cacheMs + SLACK_MS
  const signsFrom = last === undefined ? now : Math.max(now + lead, last.signs_from + times.rotationMs)
  const make =
    last === undefined || now >= last.signs_from + times.rotationMs - lead
      ? { published_at: now, signs_from: signsFrom }
      : undefined
  const drop = ordered.filter((_, i) => {
    const next = ordered[i + 1]
    return next !== undefined && now >= next.signs_from + times.tokenMs + SLACK_MS
  })
  return { make, drop: drop.map(({ kid }) => kid), signing: ordered.findLast(({ signs_from }) => signs_from <= now)?.kid }
}

export interface Keyring {
  /** An access token: EdDSA, `typ` at+jwt, `expires_in` in seconds. */
  sign(claims: Omit<Claims, 'iss' | 'aud' | 'iat' | 'exp'>): Promise<{ token: string; expires_in: number }>
  /** All published keys as a JWKS: next, active and retiring. */
  jwks(): { keys: JWK[] }
  /** SPKI PEM of a published key. */
  publicKey(kid: string): Promise<string | undefined>
  close(): void
}

/**
 * Reads the ring, makes the first key when there is none, and keeps to the schedule until closed. `onError` is told why the ring cannot be
 * read, once until that changes: this replica then goes on with the keys it has.
 */
export async function openKeyring(
  redis: Redis,
  wrap: Wrap,
  times: KeyTimes,
  onError: (error: unknown) => void,
): Promise<Keyring> {
  const change = script(redis, 'change_keyring', CHANGE)
  let ring: Key[] = []
  const opened = new Map<string, KeyObject>()

  async function reload(): Promise<void> {
    const { revision = '0', ...stored } = await redis.hgetall(RING)
    const stale: StoredKey[] = []
    const keys = Object.values(stored).map(text => {
      const key = JSON.parse(text) as StoredKey
      const known = opened.get(key.kid)
      if (known) return { ...key, private: known }
      const { plain, stale: old } = wrap.open(key.kid, key.wrapped)
      if (old) stale.push({ ...key, wrapped: wrap.seal(key.kid, plain) })
      return { ...key, private: createPrivateKey({ key: plain, format: 'der', type: 'pkcs8' }) }
    })
    const { make, drop } = due(keys, times, Date.now())
    const sets = [...stale, ...(make ? [await generate(wrap, make)] : [])]
    if (sets.length + drop.length > 0) {
      const pairs = sets.flatMap(key => [key.kid, JSON.stringify(key)])
      await change([RING], [revision, sets.length, ...pairs, ...drop])
      return reload()
    }
    opened.clear()
    for (const key of keys) opened.set(key.kid, key.private)
    ring = keys
  }
  await reload()

  let told = ''
  async function follow() {
    try {
      await reload()
      told = ''
    } catch (error) {
      const { message } = error as Error
      if (message !== told) onError(error)
      told = message
    }
  }
  const timer = setInterval(follow, RELOAD_MS)

  return {
    async sign(claims) {
      const signing = due(ring, times, Date.now()).signing
      const key = ring.find(({ kid }) => kid === signing)
      if (!key) throw new Error('no key signs yet')
      const issued = Math.floor(Date.now() / 1000)
      const expires_in = Math.round(times.tokenMs / 1000)
      const token = await new SignJWT({ ...claims })
        .setProtectedHeader({ alg: 'EdDSA', typ: TOKEN_TYPE, kid: key.kid })
        .setIssuer(ISSUER)
        .setAudience(AUDIENCE)
        .setIssuedAt(issued)
        .setExpirationTime(issued + expires_in)
        .sign(key.private)
      return { token, expires_in }
    },
    jwks: () => ({ keys: ring.map(key => key.public) }),
    async publicKey(kid) {
      const find = () => ring.find(key => key.kid === kid)
      if (!find()) await reload()
      const key = find()
      return key && createPublicPem(key)
    },
    close: () => clearInterval(timer),
  }
}

const pems = new WeakMap<KeyObject, string>()

function createPublicPem(key: Key): string {
  const pem = pems.get(key.private) ?? createPublicKey(key.private).export({ type: 'spki', format: 'pem' }).toString()
  pems.set(key.private, pem)
  return pem
}

/** A new random key; its id is the RFC 7638 thumbprint of its public half. */
async function generate(wrap: Wrap, when: Pick<StoredKey, 'published_at' | 'signs_from'>): Promise<StoredKey> {
  const { publicKey, privateKey } = generateKeyPairSync('ed25519')
  const { kty, crv, x } = publicKey.export({ format: 'jwk' })
  const kid = await calculateJwkThumbprint({ kty: String(kty), crv: String(crv), x: String(x) })
  const wrapped = wrap.seal(kid, privateKey.export({ type: 'pkcs8', format: 'der' }))
  return { kid, public: { kty, crv, x, kid, alg: 'EdDSA', use: 'sig' } as JWK, wrapped, ...when }
}
