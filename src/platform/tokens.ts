// What an access token must look like besides its signature: spelt exactly as auth spells it, with no more in its header than auth puts
// there, and a life no longer than auth gives. So there is one token string for one token, and nothing in it to be read in two ways.
import { Compile } from 'typebox/compile'
import { Claims, TOKEN_S_MAX, TokenHeader } from '../contracts/claims.ts'

/** How far ahead of this machine's clock the one that issued a token may be, in seconds. */
const CLOCK_S_MAX = 60

const header = Compile(TokenHeader)
const claims = Compile(Claims)

/** Is the token spelt canonically (base64url without stray bits, JSON without spaces or repeated names), with the header auth writes? */
export function wellSpelt(token: string): boolean {
  const parts = token.split('.').map(part => Buffer.from(part, 'base64url'))
  if (parts.map(part => part.toString('base64url')).join('.') !== token) return false
  const [head = '', payload = ''] = parts.map(String)
  try {
    const read: unknown = JSON.parse(head)
    return JSON.stringify(read) === head && header.Check(read) && JSON.stringify(JSON.parse(payload)) === payload
  } catch {
    return false
  }
}

/** The verified payload as claims that hold at `now` (milliseconds since 1970), or nothing. */
export function claimsAt(payload: unknown, now: number): Claims | undefined {
  if (!claims.Check(payload)) return undefined
  const { iat, exp } = payload
  return exp * 1000 > now && iat * 1000 <= now + CLOCK_S_MAX * 1000 && exp - iat <= TOKEN_S_MAX ? payload : undefined
}

/** The id of the key that a well spelt token says it was signed with. */
export const keyIdOf = (token: string): string =>
  JSON.parse(Buffer.from(token.split('.', 1)[0] ?? '', 'base64url').toString()).kid
