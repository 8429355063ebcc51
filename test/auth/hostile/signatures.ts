// Tokens whose signature is none, or is by another key than the one they name.
import { createHmac, createPublicKey, generateKeyPairSync, type KeyObject, sign } from 'node:crypto'
import { claimsOf, encode, headerOf, named, sealed } from '../signing.ts'
import type { Material } from './list.ts'

export function unsigned({ token, signing }: Material): Record<string, string> {
  const [, payload = '', signature = ''] = token.split('.')
  const spellings = ['none', 'None', 'NONE', 'nOnE', 'none ', '', null, 0, false, ['none'], {}]
  const made: Record<string, string> = {}
  for (const alg of spellings) {
    const header = encode({ ...headerOf(signing), alg })
    for (const [how, end] of Object.entries({ 'no signature': '', 'the true signature': signature, 'some signature': 'AAAA' })) {
      made[`alg ${JSON.stringify(alg)}, ${how}`] = `${header}.${payload}.${end}`
    }
  }
  made['no alg'] = `${encode({ typ: 'at+jwt', kid: signing.kid })}.${payload}.${signature}`
  return made
}

export function signedWithPublic({ token, signing }: Material): Record<string, string> {
  const key = createPublicKey(signing.privateKey)
  const pem = key.export({ type: 'spki', format: 'pem' }).toString()
  const der = key.export({ type: 'spki', format: 'der' })
  const jwk = key.export({ format: 'jwk' })
  const raw = Buffer.from(String(jwk.x), 'base64url')
  const secrets = {
    PEM: pem,
    'PEM without its last line feed': pem.trimEnd(),
    'PEM with carriage returns': pem.replaceAll('\n', '\r\n'),
    DER: der,
    'DER in base64': der.toString('base64'),
    'raw bytes': raw,
    'raw bytes in hex': raw.toString('hex'),
    x: String(jwk.x),
    JWK: JSON.stringify(jwk),
    'the key id': signing.kid,
    nothing: '',
    'one zero byte': '\0',
    secret: 'secret',
  }
  const [, payload = ''] = token.split('.')
  const made: Record<string, string> = {}
  for (const [name, secret] of Object.entries(secrets)) {
    for (const bits of [256, 384, 512]) {
      const input = `${encode({ ...headerOf(signing), alg: `HS${bits}` })}.${payload}`
      made[`HS${bits} with ${name}`] = `${input}.${createHmac(`sha${bits}`, secret).update(input).digest('base64url')}`
    }
    const lying = `${encode(headerOf(signing))}.${payload}`
    made[`EdDSA said, HMAC made with ${name}`] = `${lying}.${createHmac('sha512', secret).update(lying).digest('base64url')}`
  }
  return made
}

export function signedByStranger({ token, signing }: Material): Record<string, string> {
  const [, payload = ''] = token.split('.')
  const strangers: [string, string | null, KeyObject][] = [
    ['EdDSA', null, generateKeyPairSync('ed25519').privateKey],
    ['EdDSA', null, generateKeyPairSync('ed448').privateKey],
    ['RS256', 'sha256', generateKeyPairSync('rsa', { modulusLength: 2048 }).privateKey],
    ['ES256', 'sha256', generateKeyPairSync('ec', { namedCurve: 'P-256' }).privateKey],
    ['ES384', 'sha384', generateKeyPairSync('ec', { namedCurve: 'P-384' }).privateKey],
  ]
  const made: Record<string, string> = {}
  for (const [alg, hash, privateKey] of strangers) {
    const kind = `${alg} ${privateKey.asymmetricKeyType}`
    const jwk = createPublicKey(privateKey).export({ format: 'jwk' })
    for (const [how, more] of Object.entries({ 'under our key id': {}, 'with its own key beside it': { jwk } })) {
      for (const said of new Set([alg, 'EdDSA'])) {
        const input = `${encode({ ...headerOf(signing), ...more, alg: said })}.${payload}`
        made[`${kind} ${how}, called ${said}`] = `${input}.${sign(hash, Buffer.from(input), privateKey).toString('base64url')}`
      }
    }
  }
  return made
}

export function otherKeyIds({ token, signing }: Material): Record<string, string> {
  const { kid: _kid, ...rest } = headerOf(signing)
  const ids = [
    'A'.repeat(43),
    signing.kid.toLowerCase(),
    `${signing.kid} `,
    ` ${signing.kid}`,
    `${signing.kid}\0`,
    `${signing.kid}\n`,
    signing.kid.slice(0, 42),
    `${signing.kid}A`,
    '../../../../etc/passwd',
    '/dev/null',
    `./${signing.kid}`,
    `file:///${signing.kid}`,
    'http://127.0.0.1:1/jwks.json',
    "' OR '1'='1",
    '$(id)',
    '__proto__',
    'constructor',
    'toString',
    'revision',
    '',
    'k'.repeat(2000),
    null,
    0,
    1,
    true,
    [signing.kid],
    { kid: signing.kid },
  ]
  return {
    ...named(ids, kid => sealed(signing, { ...rest, kid }, claimsOf(token))),
    none: sealed(signing, rest, claimsOf(token)),
  }
}
