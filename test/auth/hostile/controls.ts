// Tokens that must pass, though each differs from the others in something: without them a door that refuses everything would do.
import { claimsOf, headerOf, sealed } from '../signing.ts'
import type { Material } from './list.ts'

/** Values of the `Authorization` header; `others` are further tokens as auth gave them out. */
export function goodTokens({ token, signing }: Pick<Material, 'token' | 'signing'>, others: string[]): string[] {
  const claims = claimsOf(token)
  const now = Math.floor(Date.now() / 1000)
  const changes = [
    {},
    { nbf: now },
    { nbf: now - 3600 },
    { exp: now + 60 },
    { iat: now + 30 },
    { jti: 'x' },
    { permissions: [] },
    { client: 'a claim nobody asked for' },
    { role: 'guest' },
  ]
  return [
    ...others.map(one => `Bearer ${one}`),
    `bearer ${token}`,
    ...changes.map(change => `Bearer ${sealed(signing, headerOf(signing), { ...claims, ...change })}`),
  ]
}
