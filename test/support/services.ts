// Real services in this process, on a private Redis, for tests that need no Envoy.
import { randomBytes } from 'node:crypto'
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { authConfig } from '../../src/auth/config.ts'
import { authService } from '../../src/auth/plugin.ts'
import { buildService } from '../../src/platform/service.ts'
import { onceAvailable } from './client.ts'
import type { PrivateRedis } from './redis.ts'

interface Teardown {
  teardown(action: () => unknown): void
}

/** Fresh secrets and the address of `redis`; `more` overrides. */
export function environment(redis: PrivateRedis, more: Record<string, string> = {}): NodeJS.ProcessEnv {
  return {
    NODE_ENV: 'test',
    LOG_LEVEL: 'silent',
    REDIS_URL: redis.url,
    SECRET_KEY: randomBytes(32).toString('base64url'),
    JWT_SECRET_KEY: randomBytes(32).toString('base64url'),
    LIMIT_ADDRESS_PER_MIN: '0',
    LIMIT_REGISTER_PER_5MIN: '0',
    LIMIT_LOGIN_PER_MIN: '0',
    LIMIT_LOGIN_ACCOUNT_PER_MIN: '0',
    LIMIT_CALLER_PER_MIN: '0',
    LOCAL_MODEL_PATH: 'none',
    ...more,
  }
}

/** Auth, listening on a free port of loopback, or on AUTH_SERVICE_PORT: that is for a test which comes back to the same port later. */
export async function auth(t: Teardown, env: NodeJS.ProcessEnv) {
  const dir = mkdtempSync(join(tmpdir(), 'audit-'))
  const app = await buildService(authService(authConfig({ AUDIT_DIR: dir, ...env })))
  const url = await app.listen({ host: '127.0.0.1', port: Number(env.AUTH_SERVICE_PORT ?? 0) })
  t.teardown(async () => {
    await app.close()
    rmSync(dir, { recursive: true, force: true })
  })
  return { app, url }
}

export const password = 'correct horse battery'

/** Registers (unless that was done) and signs in; gives the session's reply and the header that uses it. */
export async function signedIn(app: Awaited<ReturnType<typeof auth>>['app'], username: string) {
  const post = (url: string) =>
    onceAvailable(
      () => app.inject({ method: 'POST', url, payload: { username, password } }),
      ({ statusCode }) => statusCode,
    )
  const registered = await post('/register')
  const reply = await post('/login')
  if (reply.statusCode !== 200)
    throw new Error(`${username} could not sign in: ${reply.body}; on registering: ${registered.body}`)
  const session = reply.json<{ token: string; refresh_token: string; session_id: string; user_info: { user_id: string } }>()
  return { ...session, headers: { authorization: `Bearer ${session.token}` } }
}
