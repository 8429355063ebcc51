// Auth assembled: what it opens, in which order, and which routes it serves.
import { ERASURES_MAX, ERASURES_STREAM } from '../contracts/erasures.ts'
import { serviceUrls } from '../platform/config.ts'
import { markOlder, openWhenFull, unmarkOlder } from '../platform/redis.ts'
import type { App, Service } from '../platform/service.ts'
import { tellerOf } from '../platform/telling.ts'
import { openAccounts } from './accounts.ts'
import { type ApiKeys, openApiKeys } from './api-keys.ts'
import { openAuditLog, refuseOlderRedis } from './audit-log.ts'
import type { AuthConfig } from './config.ts'
import { seedAdmin } from './first-admin.ts'
import { openGateway } from './gateway.ts'
import { openGuesses } from './guesses.ts'
import { openInvites } from './invites.ts'
import { type Keyring, openKeyring } from './keyring.ts'
import { openPasswords } from './passwords.ts'
import { accountRoutes } from './routes/account.ts'
import { apiKeyRoutes } from './routes/api-keys.ts'
import { auditRoutes } from './routes/audit.ts'
import { docsRoutes } from './routes/docs.ts'
import { gatewayRoutes } from './routes/gateway.ts'
import { keyRoutes } from './routes/keys.ts'
import { sessionRoutes } from './routes/sessions.ts'
import { userRoutes } from './routes/users.ts'
import { openMac, openWrap } from './secrets.ts'
import { openSessions } from './sessions.ts'
import { openUsers } from './users.ts'

const HOUR_MS = 3_600_000
/** Largest body, in bytes, as at the edge: nothing that auth is sent comes near it. */
const BODY_BYTES_MAX = 64 * 1024

/** Everything auth's routes work with. */
export type House = Awaited<ReturnType<typeof openHouse>>

/** The auth service. */
export function authService(config: AuthConfig): Service {
  let keyring: Keyring
  let apiKeys: ApiKeys
  return {
    name: 'authentication',
    config,
    bodyBytesMax: BODY_BYTES_MAX,
    async keys(app) {
      await refuseOlderRedis(app.redis, config.AUDIT_DIR)
      await unmarkOlder(app.redis)
      apiKeys = openApiKeys(app.redis, openMac(config.SECRET_KEY, 'api key'))
      const times = {
        cacheMs: config.JWKS_CACHE_S * 1000,
        rotationMs: config.KEY_ROTATION_HOURS * HOUR_MS,
        tokenMs: config.TOKEN_EXPIRY_MINUTES * 60_000,
      }
      keyring = await openKeyring(app.redis, openWrap(config.JWT_SECRET_KEY, 'signing key'), times, error =>
        app.log.error({ err: error }, 'the signing keys could not be read'),
      )
      return { publicKey: keyring.publicKey, genuine: apiKeys.genuine, close: keyring.close }
    },
    async plugin(app) {
      const house = await openHouse(app, config, { keyring, apiKeys })
      await seedAdmin(config, { ...house, teller: tellerOf(app, null) }, line => process.stdout.write(line))
      for (const routes of [
        accountRoutes,
        sessionRoutes,
        apiKeyRoutes,
        userRoutes,
        auditRoutes,
        keyRoutes,
        gatewayRoutes,
        docsRoutes,
      ]) {
        await app.register(routes, house)
      }
    },
  }
}

/** Opens the parts; none of them holds more than Redis does, so any number of replicas may run. */
async function openHouse(app: App, config: AuthConfig, { keyring, apiKeys }: { keyring: Keyring; apiKeys: ApiKeys }) {
  const { redis } = app
  const users = openUsers(redis)
  const sessions = openSessions(redis, config.SECRET_KEY, {
    idleMs: config.SESSION_IDLE_HOURS * HOUR_MS,
    absoluteMs: config.SESSION_HOURS_MAX * HOUR_MS,
  })
  const passwords = await openPasswords()
  const guesses = openGuesses(redis, config.LIMIT_LOGIN_ACCOUNT_PER_MIN)
  const invites = openInvites(redis)
  const registration = config.REGISTRATION ?? (config.NODE_ENV === 'production' ? 'closed' : 'open')
  const whenFull = openWhenFull(redis)
  const erase = async (userId: string) =>
    void (await whenFull('XADD', ERASURES_STREAM, 'MAXLEN', '~', ERASURES_MAX, '*', 'user', userId))
  const accounts = openAccounts({ users, sessions, apiKeys, passwords, guesses, invites, keyring, registration, erase })
  const unsealed = app.counter('auth_audit_seal_failures_total', 'Times the audit log could not be sealed', [])
  const memory = async (name: string) => Number(new RegExp(`^${name}:(\\d+)`, 'm').exec(await redis.info('memory'))?.[1])
  app.gauge('redis_memory_used_bytes', 'Memory Redis uses', () => memory('used_memory'))
  app.gauge('redis_memory_max_bytes', 'Memory Redis may use, 0 for all there is', () => memory('maxmemory'))
  const auditLog = await openAuditLog(redis, openWrap(config.JWT_SECRET_KEY, 'audit key'), config.AUDIT_DIR, {
    onError(error) {
      unsealed({})
      app.log.error({ err: error }, 'the audit log could not be sealed')
    },
    onOlder: error => {
      app.giveUp(error)
      markOlder(redis).catch(cause => app.log.error({ err: cause }, 'the other services could not be told'))
    },
  })
  app.addHook('preClose', auditLog.close)
  const gateway = openGateway(serviceUrls(config))
  return { config, registration, keyring, users, sessions, apiKeys, passwords, invites, accounts, auditLog, gateway }
}
