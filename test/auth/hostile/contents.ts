// Tokens with a true signature over a header, payload or claims that auth never writes.
import { createPublicKey } from 'node:crypto'
import { AUDIENCE, type Claims, ISSUER, TOKEN_S_MAX } from '../../../src/contracts/claims.ts'
import { claimsOf, headerOf, named, sealed } from '../signing.ts'
import type { Material } from './list.ts'

export function otherHeaders({ token, signing }: Material): Record<string, string> {
  const header = headerOf(signing)
  const claims = claimsOf(token)
  const jwk = createPublicKey(signing.privateKey).export({ format: 'jwk' })
  const additions = [
    { jku: 'http://127.0.0.1:1/jwks.json' },
    { jku: 'https://example.com/.well-known/jwks.json' },
    { x5u: 'http://127.0.0.1:1/chain.pem' },
    { x5c: ['MIIB'] },
    { x5t: 'AAAA' },
    { jwk },
    { crit: [] },
    { crit: ['exp'], exp: 1 },
    { crit: ['alg'] },
    { crit: ['b64'], b64: false },
    { crit: ['b64'], b64: true },
    { b64: false },
    { crit: 'b64' },
    { crit: ['x'], x: 1 },
    { cty: 'JWT' },
    { zip: 'DEF' },
    { enc: 'A256GCM' },
    { typ: undefined },
    { typ: '' },
    { typ: 'JWT' },
    { typ: 'AT+JWT' },
    { typ: 'application/at+jwt' },
    { typ: 'at+jwt ' },
    { typ: 'rt+jwt' },
    { typ: ['at+jwt'] },
    { typ: null },
    { alg: 'eddsa' },
    { alg: 'EDDSA' },
    { alg: 'Ed25519' },
    { alg: 'EdDSA ' },
    { alg: ['EdDSA'] },
  ]
  const text = JSON.stringify(header)
  const spellings = {
    'alg twice': `{"alg":"none",${text.slice(1)}`,
    'kid twice': `{"kid":"x",${text.slice(1)}`,
    'with spaces': text.replaceAll(',', ', '),
    'with a line feed': `${text}\n`,
    'with a byte order mark': `\ufeff${text}`,
    'in another order': JSON.stringify({ kid: header.kid, typ: header.typ, alg: header.alg, b: 1 }),
    'with an escape': text.replace('EdDSA', '\\u0045dDSA'),
    'in an array': `[${text}]`,
    'as a string': JSON.stringify(text),
    'cut off': text.slice(0, -1),
    'followed by more': `${text}{}`,
    empty: '{}',
    null: 'null',
  }
  return {
    ...named(additions, more => sealed(signing, { ...header, ...more }, claims)),
    ...Object.fromEntries(Object.entries(spellings).map(([name, spelling]) => [name, sealed(signing, spelling, claims)])),
  }
}

export function otherPayloads({ token, signing }: Material): Record<string, string> {
  const claims = claimsOf(token)
  const text = JSON.stringify(claims)
  const payloads: Record<string, unknown> = {
    'an array': [claims],
    'an array with nothing': [],
    'an object with nothing': {},
    'a string': JSON.stringify('x'),
    'a number': '1',
    null: 'null',
    true: 'true',
    'not JSON': 'sub=x',
    'cut off': text.slice(0, -1),
    'followed by more': `${text}{}`,
    'with spaces': text.replaceAll(',', ', '),
    'with a byte order mark': `\ufeff${text}`,
    'inside another': { claims },
    'as a prototype': `{"__proto__":${text}}`,
    'with an escape in a name': text.replace('"sub"', '"\\u0073ub"'),
  }
  for (const name of Object.keys(claims)) {
    payloads[`${name} twice`] = `{"${name}":"x",${text.slice(1)}`
    payloads[`${name} twice, the same`] = text.replace(/}$/, `,"${name}":${JSON.stringify(claims[name as keyof Claims])}}`)
  }
  return Object.fromEntries(
    Object.entries(payloads).map(([name, payload]) => [name, sealed(signing, headerOf(signing), payload)]),
  )
}

export function otherClaims({ token, signing, refresh_token }: Material): Record<string, string> {
  const claims = claimsOf(token)
  const now = Math.floor(Date.now() / 1000)
  const made: Record<string, string> = {}
  const add = (changes: Record<string, unknown>, name = JSON.stringify(changes)) => {
    made[name] = sealed(signing, headerOf(signing), { ...claims, ...changes })
  }
  for (const [name, value] of Object.entries(claims)) {
    add({ [name]: undefined }, `without ${name}`)
    for (const other of [null, {}, [value], { 0: value }, '', true]) add({ [name]: other })
  }
  const half = AUDIENCE.slice(0, -1)
  for (const aud of [half, `${AUDIENCE}x`, AUDIENCE.toUpperCase(), ` ${AUDIENCE}`, `${AUDIENCE} other`, ['other', AUDIENCE], '*'])
    add({ aud })
  for (const iss of [ISSUER.slice(0, -1), `${ISSUER}/`, ISSUER.toUpperCase(), `https://${ISSUER}`]) add({ iss })
  for (const sub of [
    claims.sub.toUpperCase(),
    claims.sub.slice(1),
    `${claims.sub}0`,
    `${claims.sub}\0`,
    '../x',
    '*',
    '0'.repeat(32),
  ])
    add({ sub })
  for (const sid of [claims.sid.toUpperCase(), claims.sub, '*', '0'.repeat(32), refresh_token]) add({ sid })
  for (const role of ['root', 'Admin', 'admin ', ['admin']]) add({ role })
  for (const held of ['read:agent', ['everything'], ['read:agent', null], { 0: 'read:agent' }]) add({ permissions: held })
  for (const exp of [
    now - 1,
    now,
    0,
    -1,
    now + 0.5,
    String(now + 600),
    'never',
    1e20,
    Number.MAX_SAFE_INTEGER,
    now + 10 * TOKEN_S_MAX,
  ])
    add({ exp })
  made['exp beyond every number'] = sealed(
    signing,
    headerOf(signing),
    JSON.stringify(claims).replace(`"exp":${claims.exp}`, '"exp":1e999'),
  )
  for (const iat of [now + 3600, 0, String(now), 1e20]) add({ iat })
  for (const nbf of [now + 60, now + 3600, 1e20, String(now - 60), 'now', true, [now - 60]]) add({ nbf })
  return made
}
