// The audit log's own signing key: made once, kept wrapped in Redis, used for nothing but seals.
import { createPrivateKey, createPublicKey, generateKeyPairSync, sign, verify } from 'node:crypto'
import type { Redis } from '../platform/redis.ts'
import type { Wrap } from './secrets.ts'
import type { Head, Seal } from './segments.ts'

const KEY = '{audit}:key'

const signedText = ({ from, seq, hash, id, time }: Omit<Seal, 'signature'>) => Buffer.from([from, seq, hash, id, time].join('\n'))

export async function openAuditKey(redis: Redis, wrap: Wrap) {
  const made = generateKeyPairSync('ed25519').privateKey.export({ type: 'pkcs8', format: 'der' })
  await redis.set(KEY, wrap.seal('audit', made), 'NX')
  const { plain, stale } = wrap.open('audit', (await redis.get(KEY)) ?? '')
  if (stale) await redis.set(KEY, wrap.seal('audit', plain))
  const privateKey = createPrivateKey({ key: plain, format: 'der', type: 'pkcs8' })
  const publicKey = createPublicKey(privateKey)
  const { x: kid = '' } = publicKey.export({ format: 'jwk' })

  return {
    /** The public half, SPKI PEM. */
    pem: publicKey.export({ type: 'spki', format: 'pem' }).toString(),

    /** Signs a head that followed the entry with number `from`. */
    seal(from: number, { seq, hash, id }: Head): Seal {
      const plain = { from, seq, hash, id, kid, time: Date.now() }
      return { ...plain, signature: sign(null, signedText(plain), privateKey).toString('base64url') }
    },

    /** Was it signed by this key, and is it spelt as it was? */
    genuine(seal: Seal): boolean {
      const signature = Buffer.from(String(seal.signature), 'base64url')
      const spelt = signature.toString('base64url') === seal.signature
      return spelt && seal.kid === kid && verify(null, signedText(seal), publicKey, signature)
    },
  }
}
