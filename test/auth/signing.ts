// Tokens as only auth could sign them: the test knows JWT_SECRET_KEY, so it opens the stored key and signs what auth never would.
import { createPrivateKey, type KeyObject, sign } from 'node:crypto'
import { openWrap } from '../../src/auth/secrets.ts'
import type { Claims } from '../../src/contracts/claims.ts'
import type { Redis } from '../../src/platform/redis.ts'

export interface Signing {
  kid: string
  privateKey: KeyObject
}

/** The first key of the ring kept in `redis`. */
export async function signingKey(redis: Redis, jwtSecretKey = ''): Promise<Signing> {
  const { revision: _revision, ...ring } = await redis.hgetall('{keyring}:keys')
  const [kid = '', stored = ''] = Object.entries(ring)[0] ?? []
  const { plain } = openWrap(jwtSecretKey, 'signing key').open(kid, JSON.parse(stored).wrapped)
  return { kid, privateKey: createPrivateKey({ key: plain, format: 'der', type: 'pkcs8' }) }
}

/** The header auth writes. */
export const headerOf = ({ kid }: Signing) => ({ alg: 'EdDSA', typ: 'at+jwt', kid })

/** One entry per item, named by its JSON. */
export const named = <T>(items: T[], make: (item: T) => string) =>
  Object.fromEntries(items.map(item => [JSON.stringify(item), make(item)]))

export const encode = (part: unknown) => Buffer.from(typeof part === 'string' ? part : JSON.stringify(part)).toString('base64url')

/** A token with this header and payload (a string stands as it is) and a true Ed25519 signature over both. */
export function sealed({ privateKey }: Pick<Signing, 'privateKey'>, header: unknown, payload: unknown): string {
  const input = `${encode(header)}.${encode(payload)}`
  return `${input}.${sign(null, Buffer.from(input), privateKey).toString('base64url')}`
}

/** What a token says, unverified. */
export function claimsOf(token: string): Claims {
  return JSON.parse(Buffer.from(token.split('.')[1] ?? '', 'base64url').toString()) as Claims
}
