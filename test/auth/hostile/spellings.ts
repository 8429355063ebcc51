// A true token with a bit turned, a character too many, or sent in another form than the one header knows.
import { claimsOf, encode, headerOf, sealed } from '../signing.ts'
import type { Material } from './list.ts'

export function damaged({ token }: Material): Record<string, string> {
  const parts = token.split('.')
  const made: Record<string, string> = {}
  const names = ['header', 'payload', 'signature']
  for (const [at, part] of parts.entries()) {
    const bytes = Buffer.from(part, 'base64url')
    const put = (other: string) => parts.with(at, other).join('.')
    for (let i = 0; i < bytes.length; i += at === 1 ? 9 : 2) {
      const other = Buffer.from(bytes)
      other[i] = (other[i] ?? 0) ^ (1 << (i % 8))
      made[`bit ${i % 8} of byte ${i} of the ${names[at]}`] = put(other.toString('base64url'))
    }
    made[`${names[at]} padded`] = put(`${part}=`)
    made[`${names[at]} twice padded`] = put(`${part}==`)
    made[`${names[at]} with one character more`] = put(`${part}A`)
    made[`${names[at]} with one character less`] = put(part.slice(0, -1))
    made[`${names[at]} empty`] = put('')
    const stray = part.length % 4 === 0 ? 0 : part.length % 4 === 2 ? 15 : 3
    const alphabet = 'ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_'
    for (let bits = 1; bits <= stray; bits++) {
      made[`stray bits ${bits} at the end of the ${names[at]}`] = put(
        part.slice(0, -1) + alphabet[alphabet.indexOf(part.at(-1) ?? '') ^ bits],
      )
    }
  }
  return made
}

export function otherForms({ token, refresh_token, signing }: Material): Record<string, string | string[]> {
  const [head = '', payload = '', signature = ''] = token.split('.')
  const bearer = `Bearer ${token}`
  const base64 = (part: string) => Buffer.from(part, 'base64url').toString('base64')
  return {
    'no scheme': token,
    Basic: `Basic ${token}`,
    Token: `Token ${token}`,
    'scheme in capitals': `BEARER ${token}`,
    'scheme in mixed letters': `bEaReR ${token}`,
    'scheme and nothing': 'Bearer',
    'scheme and a space': 'Bearer ',
    'two spaces': `Bearer  ${token}`,
    'a tab': `Bearer\t${token}`,
    'scheme twice': `Bearer ${bearer}`,
    quoted: `Bearer "${token}"`,
    'as a parameter': `Bearer token=${token}`,
    'two parts': `Bearer ${head}.${payload}`,
    'four parts': `${bearer}.${signature}`,
    'five parts': `${bearer}.${head}.${payload}`,
    'a dot before': `Bearer .${token}`,
    'a dot behind': `${bearer}.`,
    'in ordinary base64': `Bearer ${[head, payload, signature].map(base64).join('.')}`,
    'percent-encoded': `Bearer ${token.replaceAll('.', '%2E')}`,
    'as JSON': `Bearer ${JSON.stringify({ payload, signatures: [{ protected: head, signature }] })}`,
    'two tokens with a space': `${bearer} ${token}`,
    'two tokens with a comma': `${bearer},${token}`,
    'two credentials with a comma': `${bearer}, ${bearer}`,
    'the header twice': [bearer, bearer],
    'the header twice, the first one bad': ['Bearer x', bearer],
    'the header twice, the second one bad': [bearer, 'Bearer x'],
    'the header twice, the second one empty': [bearer, ''],
    'a refresh token': `Bearer ${refresh_token}`,
    'a refresh token as claims': `Bearer ${head}.${encode({ refresh_token })}.${signature}`,
    'a session id': `Bearer ${claimsOf(token).sid}`,
    'something like an API key': `Bearer ak_${'0'.repeat(48)}${'A'.repeat(43)}`,
    'the prefix of an API key before a token': `Bearer ak_${token}`,
    'a megabyte behind': `${bearer}${'A'.repeat(1024 * 1024)}`,
    'a megabyte of claims': `Bearer ${sealed(signing, headerOf(signing), { ...claimsOf(token), more: 'x'.repeat(1024 * 1024) })}`,
  }
}
