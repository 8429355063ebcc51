// Who is asking, and may they? Every request is verified here again, whatever the edge said: signature, times and audience of the
// token, then session or key in Redis, then the stored role against what the route declares. A route that declares nothing stops the boot.
import fastifyJwt, { type TokenOrHeader } from '@fastify/jwt'
import type { FastifyInstance, FastifyRequest, RouteOptions } from 'fastify'
import {
  API_KEY_PREFIX,
  AUDIENCE,
  type Claims,
  ISSUER,
  type Permission,
  permissions,
  type Role,
  roles,
  TOKEN_TYPE,
} from '../contracts/claims.ts'
import { type Admission, type Claimant, openAdmission } from './admission.ts'
import type { SharedConfig } from './config.ts'
import { failure } from './errors.ts'
import type { KeySource } from './keys.ts'
import { type Count, type LimitName, limitAddress, limitsOf, registerLimits, tightest } from './limits.ts'
import { watchOlder } from './redis.ts'
import { claimsAt, keyIdOf, wellSpelt } from './tokens.ts'

/** What a route declares: open to all, open to anyone signed in, or one permission. */
export type Access = 'public' | 'authenticated' | Permission

/** The verified, living caller of a request. */
export interface Caller {
  user_id: string
  username: string
  role: Role
  permissions: Permission[]
  credential: 'session' | 'api_key'
  /** Only with a session. */
  session_id?: string
  /** Only with an API key. */
  key_id?: string
  /** When the token itself ends, seconds since 1970; only with a session. */
  expires?: number
}

declare module 'fastify' {
  interface FastifyContextConfig {
    access?: Access
    limit?: LimitName
    /** Health, metrics and published keys: neither looked up nor counted. */
    unlimited?: true
  }
  interface FastifyInstance {
    /** Who a request on a public route says it is, if that is true. */
    identify(request: FastifyRequest): Promise<Caller | undefined>
    /** Whether a caller's session or key still holds. */
    alive(caller: Caller): Promise<boolean>
  }
  interface FastifyRequest {
    /** Set on every route that is not public. */
    caller: Caller
    /** What admission found out; absent on unlimited routes. */
    admitted: { count?: Count; caller?: Caller; problem?: 'unauthenticated' | 'token_expired' } | null
  }
}

/** Verified tokens remembered; the oldest is forgotten first. */
const TOKENS_MAX = 10_000
/** Longest `Authorization` value that is looked at; ours stay below 1 kB. */
const CREDENTIAL_CHARS_MAX = 4096
/** The scheme in the two spellings that the edge knows too. */
const SCHEME = /^[Bb]earer$/
const TOKEN = /^[\w-]+\.[\w-]+\.[\w-]+$/
/** prefix, user id, key id, 256 bits of secret in base64url */
export const API_KEY = new RegExp(`^${API_KEY_PREFIX}([0-9a-f]{32})([0-9a-f]{16})([\\w-]{43})$`)

/** The access a request's route declares; what no route took is public, so that it is counted and answered 404. */
const accessOf = (request: FastifyRequest): Access =>
  request.is404 ? 'public' : (request.routeOptions.config.access ?? 'authenticated')

/** Registers verification, limits and authorisation, in that order, for every route declared after it. */
export async function registerIdentity(app: FastifyInstance, config: SharedConfig, keys: KeySource) {
  await app.register(fastifyJwt, {
    secret: {
      public: (_request: FastifyRequest, token: TokenOrHeader) =>
        publicKeyOf(keys, 'header' in token ? token.header.kid : token.kid),
    },
    decode: { complete: true },
    verify: {
      algorithms: ['EdDSA'],
      allowedIss: ISSUER,
      allowedAud: AUDIENCE,
      checkTyp: TOKEN_TYPE,
      requiredClaims: ['iss', 'aud', 'sub', 'sid', 'exp'],
    },
  })
  const claimOf = claimReader(keys)
  app.decorateRequest('admitted', null)
  app.decorateRequest('caller', null as unknown as Caller)
  const admit = openAdmission(app.redis, await watchOlder(app))
  app.decorate('identify', async request => {
    const { claimant, expires } = await claimOf(request)
    const admission = claimant && (await admit([], claimant))
    return admission?.alive ? callerOf(claimant as Claimant, admission, expires) : undefined
  })
  app.decorate('alive', async ({ user_id, credential, session_id, key_id }) => {
    const { alive } = await admit([], { user_id, credential, id: session_id ?? key_id ?? '' })
    return alive
  })

  app.addHook('onRequest', async request => {
    if (request.routeOptions.config.unlimited) return
    const open = accessOf(request) === 'public'
    const named = request.routeOptions.config.limit
    const { claimant, expires, problem = 'unauthenticated' } = open ? {} : await claimOf(request)
    if (claimant) {
      const admission = await admit(limitsOf(config, claimant.user_id, 'caller', named), claimant)
      if (admission.alive) {
        request.admitted = { count: tightest(admission.counts), caller: callerOf(claimant, admission, expires) }
        return
      }
    }
    const limits = limitsOf(config, limitAddress(request), 'address', open ? named : undefined)
    const { counts } = limits.length > 0 ? await admit(limits) : { counts: [] }
    request.admitted = { count: tightest(counts), problem }
  })

  await registerLimits(app, request => request.admitted?.count)
  demandAccess(app)
}

/** Adds the last word to every route, after the limits, and refuses to start when a route declares no access. */
function demandAccess(app: FastifyInstance) {
  const undeclared: RouteOptions[] = []
  app.addHook('onRoute', route => {
    undeclared.push(route)
    route.onRequest = [route.onRequest ?? [], authorize].flat()
  })
  app.addHook('onReady', async () => {
    const open = undeclared.filter(({ config }) => config?.access === undefined).map(({ method, url }) => `${method} ${url}`)
    undeclared.length = 0
    if (open.length > 0)
      throw new Error(`These routes declare no access (public, authenticated or a permission): ${open.join(', ')}`)
  })
}

async function authorize(request: FastifyRequest) {
  const access = accessOf(request)
  if (access === 'public') return
  const { caller, problem } = request.admitted ?? {}
  if (!caller) throw failure(problem ?? 'unauthenticated')
  request.caller = caller
  if (access !== 'authenticated' && !caller.permissions.includes(access)) throw failure('forbidden')
}

interface Claim {
  claimant?: Claimant
  expires?: number
  problem?: 'token_expired'
}

/** Makes the function that reads and verifies the credential of a request. Whatever is wrong with it, it is simply no claim. */
function claimReader(keys: KeySource) {
  /** What a token says never changes, nor whether it was signed; when it ends, and whether its key is still published, is looked at again. */
  const verified = new Map<string, { kid: string; claims: Claims }>()

  return async (request: FastifyRequest): Promise<Claim> => {
    const credential = credentialOf(request)
    const [, user_id, id] = API_KEY.exec(credential) ?? []
    if (user_id && id)
      return (await keys.genuine(credential, request.ip)) ? { claimant: { user_id, credential: 'api_key', id } } : {}
    const known = verified.get(credential)
    if (known && (await keys.publicKey(known.kid)) && claimsAt(known.claims, Date.now())) return sessionOf(known.claims)
    verified.delete(credential)
    if (!TOKEN.test(credential) || !wellSpelt(credential)) return {}
    try {
      const claims = claimsAt(await request.jwtVerify<object>(), Date.now())
      if (!claims) return {}
      if (verified.size >= TOKENS_MAX) verified.delete(verified.keys().next().value ?? '')
      verified.set(credential, { kid: keyIdOf(credential), claims })
      return sessionOf(claims)
    } catch (error) {
      const { code, statusCode } = error as { code?: string; statusCode?: number }
      if (statusCode === 503) throw error
      return code === 'FST_JWT_AUTHORIZATION_TOKEN_EXPIRED' ? { problem: 'token_expired' } : {}
    }
  }
}

const sessionOf = ({ sub, sid, exp }: Claims): Claim => ({
  claimant: { user_id: sub, credential: 'session', id: sid },
  expires: exp,
})

/** What stands behind `Bearer` in the one Authorization header of a request, or an empty text. */
function credentialOf(request: FastifyRequest): string {
  const [given = '', another] = request.raw.rawHeaders.filter(
    (_, i, all) => i % 2 === 1 && all[i - 1]?.toLowerCase() === 'authorization',
  )
  if (another !== undefined) return ''
  const [scheme, credential = '', more] = given.split(' ')
  return SCHEME.test(scheme ?? '') && more === undefined && credential.length <= CREDENTIAL_CHARS_MAX ? credential : ''
}

async function publicKeyOf(keys: KeySource, kid: unknown): Promise<string> {
  const key = await keys.publicKey(String(kid))
  if (!key) throw failure('unauthenticated')
  return key
}

/** A session has its stored role's rights; an API key those it was given that its owner and the service_account row still have. */
function callerOf(
  { user_id, credential, id }: Claimant,
  { username, role, keyPermissions }: Admission,
  expires?: number,
): Caller {
  const ofRole: readonly Permission[] = roles[role] ?? []
  if (credential === 'session') return { user_id, username, role, permissions: [...ofRole], credential, session_id: id, expires }
  const given = JSON.parse(keyPermissions || '[]') as Permission[]
  const bound: readonly Permission[] = roles.service_account
  const held = permissions.filter(one => given.includes(one) && ofRole.includes(one) && bound.includes(one))
  return { user_id, username, role, permissions: held, credential, key_id: id }
}
