// What an access token says, and what a role may do. Auth writes it, every service reads it, Envoy checks its outside.
import Type, { type Static } from 'typebox'

export const ISSUER = 'agent-backend'
export const AUDIENCE = 'agent-backend'
/** JWT header `typ` of an access token (RFC 9068), so that no other token of ours passes for one. */
export const TOKEN_TYPE = 'at+jwt'
/** Longest life of an access token, in seconds, whatever is configured. */
export const TOKEN_S_MAX = 86_400
/** Every API key starts with this; Envoy lets `Bearer ak_…` through to the services, which check it. */
export const API_KEY_PREFIX = 'ak_'

export const permissions = [
  'read:agent',
  'write:agent',
  'read:rag',
  'write:rag',
  'manage:users',
  'read:audit',
  'read:system',
  'write:system',
] as const
export const Permission = Type.Enum([...permissions])
export type Permission = (typeof permissions)[number]

/** The role table of the HTTP contract. `service_account` is no one's role: it bounds what an API key can do. */
export const roles = {
  admin: permissions,
  user: ['read:agent', 'write:agent', 'read:rag', 'write:rag'],
  guest: ['read:agent'],
  service_account: ['read:agent', 'write:agent', 'read:rag', 'write:rag'],
} as const satisfies Record<string, readonly Permission[]>
export type Role = keyof typeof roles
export const Role = Type.Enum(Object.keys(roles) as Role[])

/** The header of an access token, whole: nothing in it can name another key or another way to read it. */
export const TokenHeader = Type.Object(
  {
    alg: Type.Literal('EdDSA'),
    typ: Type.Literal(TOKEN_TYPE),
    kid: Type.String({ pattern: '^[A-Za-z0-9_-]{43}$', description: 'RFC 7638 thumbprint of the key' }),
  },
  { additionalProperties: false },
)

/** The payload of an access token. Times are seconds since 1970 (RFC 7519). */
export const Claims = Type.Object({
  iss: Type.Literal(ISSUER),
  aud: Type.Literal(AUDIENCE),
  sub: Type.String({ pattern: '^[0-9a-f]{32}$', description: 'User id' }),
  sid: Type.String({ pattern: '^[0-9a-f]{32}$', description: 'Session id' }),
  jti: Type.String({ minLength: 1, maxLength: 64 }),
  role: Role,
  permissions: Type.Array(Permission, { maxItems: permissions.length }),
  iat: Type.Integer(),
  exp: Type.Integer(),
})
export type Claims = Static<typeof Claims>
