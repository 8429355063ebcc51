// What auth understands from its environment, and the refusal to run on a secret that anyone could know.
import Type, { type Static } from 'typebox'
import { TOKEN_S_MAX } from '../contracts/claims.ts'
import { listed, loadConfig, shared } from '../platform/config.ts'

/** Least length of one secret, in characters. */
const SECRET_CHARS_MIN = 32
/** A secret with fewer different characters was typed, not generated. */
const SECRET_DISTINCT_MIN = 10

export const AuthConfig = Type.Object({
  ...shared,
  SECRET_KEY: Type.String(),
  JWT_SECRET_KEY: Type.String(),
  JWKS_CACHE_S: Type.Integer({ minimum: 1, maximum: 86_400, default: 600 }),
  /** How long a signing key signs, in hours. */
  KEY_ROTATION_HOURS: Type.Number({ exclusiveMinimum: 0, default: 24 * 30 }),
  TOKEN_EXPIRY_MINUTES: Type.Number({ exclusiveMinimum: 0, maximum: TOKEN_S_MAX / 60, default: 15 }),
  SESSION_IDLE_HOURS: Type.Number({ exclusiveMinimum: 0, default: 24 * 14 }),
  SESSION_HOURS_MAX: Type.Number({ exclusiveMinimum: 0, default: 24 * 90 }),
  REGISTRATION: Type.Optional(Type.Enum(['open', 'invite', 'closed'])),
  ADMIN_USERNAME: Type.Optional(Type.String({ minLength: 3, maxLength: 50 })),
  ADMIN_PASSWORD: Type.Optional(Type.String({ minLength: 8, maxLength: 128 })),
  /** Folder of the sealed audit segments and the head. */
  AUDIT_DIR: Type.String({ default: 'data/audit' }),
})
export type AuthConfig = Readonly<Static<typeof AuthConfig>>

/** Reads auth's configuration; a missing, short or guessable secret stops the process with a sentence. */
export function authConfig(environment?: NodeJS.ProcessEnv): AuthConfig {
  const config = loadConfig(AuthConfig, environment)
  for (const name of ['SECRET_KEY', 'JWT_SECRET_KEY'] as const) {
    const secrets = listed(config[name])
    if (secrets.length === 0 || secrets.some(weak)) {
      throw new Error(
        `${name} must be random and at least ${SECRET_CHARS_MIN} characters long (openssl rand -base64 48 makes one)`,
      )
    }
  }
  if (config.SECRET_KEY === config.JWT_SECRET_KEY) throw new Error('SECRET_KEY and JWT_SECRET_KEY must differ')
  return config
}

function weak(secret: string): boolean {
  return (
    secret.length < SECRET_CHARS_MIN ||
    new Set(secret).size < SECRET_DISTINCT_MIN ||
    /change.?me|secret|default|example|password/i.test(secret)
  )
}
