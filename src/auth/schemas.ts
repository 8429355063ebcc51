// The bodies auth takes and gives, as in the HTTP contract.
import Type, { type Static } from 'typebox'
import { Permission, permissions, Role } from '../contracts/claims.ts'
import { FailureBody } from '../contracts/failure.ts'

const closed = { additionalProperties: false }
const PAGE_MAX = 200

const Username = Type.String({ minLength: 3, maxLength: 50 })
/** Taken byte for byte. */
const Password = Type.String({ minLength: 8, maxLength: 128 })
const Time = Type.String({ format: 'date-time' })
const HexId = Type.String({ pattern: '^[0-9a-f]{32}$' })
const Permissions = Type.Array(Permission, { maxItems: permissions.length })

export const Credentials = Type.Object({ username: Username, password: Password }, { ...closed, title: 'Credentials' })
export const Registration = Type.Object(
  { username: Username, password: Password, invite: Type.Optional(Type.String({ minLength: 1, maxLength: 128 })) },
  { ...closed, title: 'Registration' },
)
export const Registered = Type.Object({ message: Type.String(), user_id: Type.String(), username: Type.String(), role: Role })

const UserInfo = Type.Object({ user_id: Type.String(), username: Type.String(), role: Role, permissions: Permissions })
export const Session = Type.Object(
  {
    token: Type.String(),
    token_type: Type.Literal('Bearer'),
    expires_in: Type.Integer({ description: 'Seconds' }),
    refresh_token: Type.String(),
    session_id: Type.String(),
    message: Type.String(),
    user_info: UserInfo,
  },
  { title: 'Session' },
)
export type Session = Static<typeof Session>

export const Refresh = Type.Object(
  { refresh_token: Type.String({ minLength: 1, maxLength: 512 }) },
  { ...closed, title: 'Refresh' },
)

export const Valid = Type.Object({
  valid: Type.Literal(true),
  ...UserInfo.properties,
  expires_at: Type.Union([Time, Type.Null()]),
})
export const Invalid = Type.Object({ valid: Type.Literal(false), ...FailureBody.properties })

export const Me = Type.Object({
  ...UserInfo.properties,
  credential: Type.Enum(['session', 'api_key']),
  session_id: Type.Optional(Type.String()),
})
export const PasswordChange = Type.Object(
  { current_password: Password, new_password: Password },
  { ...closed, title: 'PasswordChange' },
)

export const SessionList = Type.Object({
  sessions: Type.Array(
    Type.Object({
      id: Type.String(),
      address: Type.String(),
      agent: Type.String(),
      created_at: Time,
      last_seen_at: Time,
      current: Type.Boolean(),
    }),
  ),
})

const KeyName = Type.String({ minLength: 1, maxLength: 100 })
export const NewApiKey = Type.Object(
  {
    name: KeyName,
    permissions: Type.Array(Permission, { minItems: 1, maxItems: permissions.length, uniqueItems: true }),
    expires_in_days: Type.Integer({ minimum: 1, maximum: 365 }),
  },
  { ...closed, title: 'NewApiKey' },
)
const apiKey = { id: Type.String(), name: KeyName, permissions: Permissions, created_at: Time, expires_at: Time }
export const MadeApiKey = Type.Object({ ...apiKey, key: Type.String({ description: 'Shown this once' }) })
export const ApiKeyList = Type.Object({
  api_keys: Type.Array(Type.Object({ ...apiKey, last_used_at: Type.Union([Time, Type.Null()]) })),
})
export const ApiKeyId = Type.Object({ id: Type.String({ pattern: '^[0-9a-f]{16}$' }) })
export const Id = Type.Object({ id: HexId })

export const User = Type.Object(
  { user_id: Type.String(), username: Type.String(), role: Role, disabled: Type.Boolean(), created_at: Time },
  { title: 'User' },
)
export const UserList = Type.Object({ users: Type.Array(User), next_cursor: Type.Union([Type.String(), Type.Null()]) })
export const UserChange = Type.Object(
  { role: Type.Optional(Type.Enum(['admin', 'user', 'guest'])), disabled: Type.Optional(Type.Boolean()) },
  { ...closed, minProperties: 1, title: 'UserChange' },
)
export const Page = Type.Object(
  { cursor: Type.Optional(HexId), limit: Type.Optional(Type.Integer({ minimum: 1, maximum: PAGE_MAX, default: 50 })) },
  closed,
)
export const Invite = Type.Object({ invite: Type.String({ description: 'Shown this once' }), expires_at: Time })

export const Jwks = Type.Object({
  keys: Type.Array(
    Type.Object({
      kty: Type.String(),
      crv: Type.String(),
      x: Type.String(),
      kid: Type.String(),
      alg: Type.String(),
      use: Type.String(),
    }),
  ),
})

export const Configuration = Type.Object({
  version: Type.String(),
  rag_enabled: Type.Boolean(),
  databases_enabled: Type.Boolean(),
  answerer: Type.String(),
  embedding_model: Type.String(),
  security_features: Type.Object({
    rbac_enabled: Type.Boolean(),
    rate_limiting: Type.Boolean(),
    input_validation: Type.Boolean(),
    audit_logging: Type.Boolean(),
  }),
})
export const Services = Type.Object({
  services: Type.Array(
    Type.Object({ name: Type.String(), endpoint: Type.String(), method: Type.String(), permission: Type.String() }),
  ),
  timestamp: Time,
  version: Type.String(),
})

const Word = Type.String({ minLength: 1, maxLength: 64 })
export const AuditQuery = Type.Object(
  {
    user_id: Type.Optional(HexId),
    action: Type.Optional(Word),
    outcome: Type.Optional(Type.Enum(['allowed', 'denied'])),
    since: Type.Optional(Time),
    until: Type.Optional(Time),
    cursor: Type.Optional(Type.String({ pattern: '^\\d{1,15}-\\d{1,10}$' })),
    limit: Page.properties.limit,
  },
  closed,
)
const AuditRecord = Type.Object({
  id: Type.String(),
  time: Time,
  action: Type.String(),
  outcome: Type.String(),
  user_id: Type.Union([Type.String(), Type.Null()]),
  key_id: Type.Optional(Type.String()),
  target: Type.Optional(Type.String()),
  detail: Type.Optional(Type.String()),
  count: Type.Optional(Type.Integer()),
  address: Type.Union([Type.String(), Type.Null()]),
  request_id: Type.Union([Type.String(), Type.Null()]),
  service: Type.String(),
})
export type AuditRecord = Static<typeof AuditRecord>
export const AuditEvents = Type.Object({ events: Type.Array(AuditRecord), next_cursor: Type.Union([Type.String(), Type.Null()]) })
export const AuditVerdict = Type.Object({
  valid: Type.Boolean(),
  entries: Type.Integer(),
  first_bad: Type.Union([Type.Object({ seq: Type.Integer(), problem: Type.String() }), Type.Null()]),
})
export const AuditHead = Type.Object({
  from: Type.Integer(),
  seq: Type.Integer({ description: 'How many events are sealed' }),
  hash: Type.String(),
  id: Type.String(),
  kid: Type.String(),
  time: Type.Integer({ description: 'Milliseconds since 1970' }),
  signature: Type.String({ description: 'Ed25519 over from, seq, hash, id and time, joined by line feeds; base64url' }),
  public_key: Type.String(),
})
