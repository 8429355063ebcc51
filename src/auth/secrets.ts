// Everything derived from the two configured secrets. Each is a list `new,old`: the first makes, all of them check, so a secret can
// be replaced without ending what the old one made.
import { createCipheriv, createDecipheriv, createHmac, hkdfSync, randomBytes, timingSafeEqual } from 'node:crypto'
import { listed } from '../platform/config.ts'

const KEY_BYTES = 32
const IV_BYTES = 12
const TAG_BYTES = 16

/** Keyed hashes for one purpose; the same secret gives unrelated keys for different purposes (HKDF, RFC 5869). */
export interface Mac {
  /** Hash with the newest secret, base64url, 256 bits. */
  of(text: string): string
  /** Hashes with every secret, newest first. */
  all(text: string): string[]
  /** Was `hash` made from `text` with any of the secrets? Takes the same time either way. */
  matches(text: string, hash: string): boolean
}

export function openMac(secrets: string, purpose: string): Mac {
  const keys = derive(secrets, purpose)
  const hash = (key: Buffer, text: string) => createHmac('sha256', key).update(text).digest('base64url')
  const all = (text: string) => keys.map(key => hash(key, text))
  return { of: text => hash(keys[0] as Buffer, text), all, matches: (text, given) => all(text).some(made => same(made, given)) }
}

/** Wraps small secrets for storage (AES-256-GCM, bound to a name). */
export interface Wrap {
  seal(name: string, plain: Buffer): string
  /** Opens what any of the secrets sealed; `stale` when it was not the newest. Throws when none fits. */
  open(name: string, sealed: string): { plain: Buffer; stale: boolean }
}

export function openWrap(secrets: string, purpose: string): Wrap {
  const keys = derive(secrets, purpose)
  return {
    seal(name, plain) {
      const iv = randomBytes(IV_BYTES)
      const cipher = createCipheriv('aes-256-gcm', keys[0] as Buffer, iv).setAAD(Buffer.from(name))
      const body = Buffer.concat([cipher.update(plain), cipher.final()])
      return Buffer.concat([iv, cipher.getAuthTag(), body]).toString('base64url')
    },
    open(name, sealed) {
      const bytes = Buffer.from(sealed, 'base64url')
      for (const [i, key] of keys.entries()) {
        const cipher = createDecipheriv('aes-256-gcm', key, bytes.subarray(0, IV_BYTES)).setAAD(Buffer.from(name))
        cipher.setAuthTag(bytes.subarray(IV_BYTES, IV_BYTES + TAG_BYTES))
        try {
          return { plain: Buffer.concat([cipher.update(bytes.subarray(IV_BYTES + TAG_BYTES)), cipher.final()]), stale: i > 0 }
        } catch {}
      }
      throw new Error(
        'JWT_SECRET_KEY does not open the stored signing keys; append the secret it replaced, as in JWT_SECRET_KEY=new,old',
      )
    },
  }
}

function derive(secrets: string, purpose: string): Buffer[] {
  return listed(secrets).map(secret => Buffer.from(hkdfSync('sha256', secret, '', purpose, KEY_BYTES)))
}

function same(a: string, b: string): boolean {
  return a.length === b.length && timingSafeEqual(Buffer.from(a), Buffer.from(b))
}
