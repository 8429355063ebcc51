// The settings of one stack: `.env` under what was given, secrets made at the first start, and which process may know which variable.
// `.env` is read and written here alone; a service sees nothing but what `environmentOf` hands it.
import { randomBytes } from 'node:crypto'
import { appendFileSync, chmodSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { parseEnv } from 'node:util'
import type { TObject } from 'typebox'

/** Variable → text. */
export type Settings = Record<string, string>

/** Made at random when absent, 256 bits each. Redis's is for the Redis the stack starts itself. */
const SECRETS = ['SECRET_KEY', 'JWT_SECRET_KEY', 'REDIS_PASSWORD']

/** Reads `<dir>/.env` and lays `given` over it; an empty variable counts as not set. */
export function readSettings(dir: string, given: NodeJS.ProcessEnv = {}): Settings {
  const settings: Settings = {}
  for (const source of [parseEnv(readIfThere(dir)), given]) {
    for (const [name, value] of Object.entries(source)) if (value) settings[name] = value
  }
  return settings
}

/**
 * `readSettings`, and the secrets that are missing are made and added to `<dir>/.env` (mode 600; what stands there is never changed).
 * In production nothing is made up: a missing secret stops the service that needs it.
 */
export function openSettings(dir: string, given: NodeJS.ProcessEnv = {}): Settings {
  const settings = readSettings(dir, given)
  if (settings.NODE_ENV === 'production') return settings
  const made = SECRETS.filter(name => !settings[name]).map(name => [name, randomBytes(32).toString('base64url')] as const)
  if (made.length === 0) return settings

  const open = /[^\n]$/.test(readIfThere(dir)) ? '\n' : ''
  const lines = made.map(([name, value]) => `${name}=${value}\n`).join('')
  appendFileSync(join(dir, '.env'), `${open}# Made at the first start. Losing them ends every session and API key.\n${lines}`, {
    mode: 0o600,
  })
  chmodSync(join(dir, '.env'), 0o600)
  return { ...settings, ...Object.fromEntries(made) }
}

/** What any program needs to find its way; no secret is among them. */
const BASICS = ['PATH', 'HOME', 'TMPDIR', 'TZ', 'LANG', 'NODE_EXTRA_CA_CERTS']

/**
 * The environment of one service: the variables its own configuration declares and nothing else, so a secret reaches only the
 * process that names it.
 */
export function environmentOf(schema: TObject, settings: Settings): Record<string, string> {
  const environment: Record<string, string> = {}
  for (const name of BASICS) if (process.env[name]) environment[name] = process.env[name]
  for (const name of Object.keys(schema.properties)) if (settings[name]) environment[name] = settings[name]
  return environment
}

function readIfThere(dir: string): string {
  try {
    return readFileSync(join(dir, '.env'), 'utf8')
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return ''
    throw error
  }
}
