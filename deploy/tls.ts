// The certificate pair of the edge's TLS door: the one the settings name, or, while developing, a self-signed one made at the first start.
import { execFile } from 'node:child_process'
import { existsSync } from 'node:fs'
import { mkdir, rename } from 'node:fs/promises'
import { join, resolve } from 'node:path'
import { promisify } from 'node:util'
import type { Settings } from './environment.ts'

/** PEM files: the chain, the server's own certificate first, and its private key. */
export interface TlsPair {
  TLS_CERTIFICATE: string
  TLS_KEY: string
}

const DAYS = '825'

/** The pair a stack in `dir` shows. Rejects with a sentence when half of it is named, or none in production, where nothing is made up. */
export async function tlsPair(dir: string, { NODE_ENV, TLS_CERTIFICATE, TLS_KEY }: Settings): Promise<TlsPair> {
  if (TLS_CERTIFICATE && TLS_KEY) return { TLS_CERTIFICATE: resolve(dir, TLS_CERTIFICATE), TLS_KEY: resolve(dir, TLS_KEY) }
  if (TLS_CERTIFICATE || TLS_KEY || NODE_ENV === 'production')
    throw new Error('TLS_CERTIFICATE and TLS_KEY must name the PEM files of the edge: the certificate chain and its private key.')
  return selfSigned(join(dir, 'run', 'tls'))
}

/** A pair for localhost in `folder`, made when there is none yet; nobody has reason to trust it. Rejects with a sentence without openssl. */
export async function selfSigned(folder: string): Promise<TlsPair> {
  const pair = { TLS_CERTIFICATE: join(folder, 'certificate.pem'), TLS_KEY: join(folder, 'key.pem') }
  if (existsSync(pair.TLS_CERTIFICATE)) return pair
  await mkdir(folder, { recursive: true, mode: 0o700 })
  const made = `${pair.TLS_CERTIFICATE}.new`
  const kind = ['-x509', '-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:prime256v1', '-nodes', '-days', DAYS]
  const names = ['-subj', '/CN=localhost', '-addext', 'subjectAltName=DNS:localhost,IP:127.0.0.1,IP:::1']
  await promisify(execFile)('openssl', ['req', ...kind, ...names, '-keyout', pair.TLS_KEY, '-out', made]).catch(error => {
    const missing = 'openssl is missing; install it with: sudo apt-get install -y openssl'
    throw new Error(error.code === 'ENOENT' ? missing : `openssl could not make a certificate: ${error.stderr || error.message}`)
  })
  // The certificate gets its name last, so a pair that was only half made is made again.
  await rename(made, pair.TLS_CERTIFICATE)
  return pair
}
