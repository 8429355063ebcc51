// Where a service that is not auth gets what it verifies with: public keys from auth's JWKS, kept while auth is away, and a yes or
// no for an API key, asked of auth again as often as the keys are read. Neither signing secrets nor peppers ever leave auth.
import { createHash, createPublicKey } from 'node:crypto'
import { createRemoteJWKSet, errors } from 'jose'
import { failure } from './errors.ts'

/** Longest wait for auth, in milliseconds. */
const AUTH_MS_MAX = 2000
/** Least time between two readings of the JWKS for a key id nobody knows, and two questions to an auth that is away, in milliseconds. */
const COOLDOWN_MS = 5000
/** API keys remembered as genuine; the oldest is forgotten first. Whether one is still alive is asked of Redis at every request. */
const API_KEYS_MAX = 10_000
/** Questions about API keys under way that others may wait for; beyond it each request asks for itself. */
const QUESTIONS_MAX = 1000

/** What identity verifies with. */
export interface KeySource {
  /** The public key with this id as SPKI PEM, or nothing when no such key is published. */
  publicKey(kid: string): Promise<string | undefined>
  /** Was this API key made here? `address` is the client's, so that guesses count where they come from. */
  genuine(apiKey: string, address: string): Promise<boolean>
  /** Is there anything to verify with yet? Asked by `/ready`; without it there always is. */
  known?(): Promise<boolean>
  close(): void
}

/** Keys of a running auth at `url`, looked up again every `cacheS` seconds; an unreachable auth leaves the known ones in force. */
export function remoteKeys(url: string, cacheS: number): KeySource {
  const jwks = createRemoteJWKSet(new URL('/.well-known/jwks.json', url), {
    cacheMaxAge: Number.POSITIVE_INFINITY,
    cooldownDuration: COOLDOWN_MS,
    timeoutDuration: AUTH_MS_MAX,
  })
  const pems = new Map<string, string>()
  /** Digests of genuine API keys, and when auth is asked about each again. */
  const known = new Map<string, number>()
  /** Questions under way, by digest and address: for auth counts them by address, and a burst is no more than one. */
  const asked = new Map<string, Promise<boolean>>()

  async function reload() {
    await jwks.reload()
    pems.clear()
  }
  const timer = setInterval(() => reload().catch(() => undefined), cacheS * 1000)
  timer.unref()
  reload().catch(() => undefined)
  let learning: Promise<void> | undefined

  async function ask(apiKey: string, digest: string, address: string): Promise<boolean> {
    let next = Date.now() + cacheS * 1000
    try {
      const yes = await validated(url, apiKey, address)
      known.delete(digest)
      if (!yes) return false
    } catch (error) {
      if (!known.has(digest)) throw error
      next = Date.now() + COOLDOWN_MS
    }
    if (known.size >= API_KEYS_MAX) known.delete(known.keys().next().value ?? '')
    known.set(digest, next)
    return true
  }

  return {
    async known() {
      if (jwks.jwks()) return true
      learning ??= reload().finally(() => {
        learning = undefined
      })
      await learning
      return true
    },

    async publicKey(kid) {
      const pem = pems.get(kid)
      if (pem) return pem
      try {
        await jwks({ alg: 'EdDSA', kid })
      } catch (error) {
        if (error instanceof errors.JWKSNoMatchingKey) return undefined
        throw failure('unavailable', undefined, { cause: error })
      }
      const jwk = jwks.jwks()?.keys.find(key => key.kid === kid)
      if (!jwk) return undefined
      const made = createPublicKey({ key: jwk, format: 'jwk' }).export({ type: 'spki', format: 'pem' }).toString()
      pems.set(kid, made)
      return made
    },

    async genuine(apiKey, address) {
      const digest = createHash('sha256').update(apiKey).digest('base64')
      const due = known.get(digest)
      if (due !== undefined && Date.now() < due) return true
      const name = `${digest} ${address}`
      const underWay = asked.get(name)
      if (underWay) return underWay
      const question = ask(apiKey, digest, address).finally(() => asked.delete(name))
      if (asked.size < QUESTIONS_MAX) asked.set(name, question)
      return question
    },

    close: () => clearInterval(timer),
  }
}

/** Does auth know the key? Throws when it cannot say. */
async function validated(url: string, apiKey: string, address: string): Promise<boolean> {
  const reply = await fetch(new URL('/validate', url), {
    method: 'POST',
    headers: { authorization: `Bearer ${apiKey}`, 'x-forwarded-for': address },
    signal: AbortSignal.timeout(AUTH_MS_MAX),
  }).catch(error => {
    throw failure('unavailable', undefined, { cause: error })
  })
  await reply.body?.cancel()
  if (reply.status === 429)
    throw failure('rate_limited', undefined, { headers: { 'retry-after': reply.headers.get('retry-after') ?? 60 } })
  if (reply.status >= 500) throw failure('unavailable')
  return reply.status === 200
}
