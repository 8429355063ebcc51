// All three services on one Redis, each with the list of its routes, and everybody who may come to them.
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { AgentConfig } from '../../src/agent/config.ts'
import { agentService } from '../../src/agent/plugin.ts'
import { authConfig } from '../../src/auth/config.ts'
import { authService } from '../../src/auth/plugin.ts'
import { loadConfig } from '../../src/platform/config.ts'
import { type App, buildService, type Service } from '../../src/platform/service.ts'
import { ragConfig } from '../../src/rag/config.ts'
import { ragService } from '../../src/rag/plugin.ts'
import { asking, type Person, personAt } from '../auth/house.ts'
import { claimsOf, headerOf, sealed, signingKey } from '../auth/signing.ts'
import { startEnvoy } from '../edge/envoy.ts'
import { freePort, privateRedis } from '../support/redis.ts'
import { environment, password } from '../support/services.ts'

interface Teardown {
  teardown(action: () => unknown): void
}

export interface Running {
  /** As at the edge: auth, agent, rag. */
  name: string
  app: App
  service: Service
  url: string
  /** `METHOD /path` as declared, those that Fastify adds for HEAD included. */
  routes: string[]
}

/** The credentials that must open nothing, each dead or wrong in its own way. */
export const nobodies = ['anonymous', 'revoked', 'disabled', 'deleted key', 'wrong audience'] as const
/** The credentials that hold, in the order of a row's columns; `key` belongs to `user`. */
export const somebodies = ['guest', 'user', 'other', 'key', 'admin'] as const
export type Who = (typeof nobodies)[number] | (typeof somebodies)[number]

interface Credential {
  headers: Record<string, string>
  user_id: string
}

export type Stack = Awaited<ReturnType<typeof startStack>>

/** Builds a service as production does, and notes its routes. */
async function run(t: Teardown, service: Service, port = 0): Promise<Running> {
  const routes: string[] = []
  const app = await buildService({
    ...service,
    keys(app) {
      app.addHook('onRoute', ({ method, url }) => {
        for (const one of [method].flat()) routes.push(`${one} ${url}`)
      })
      return service.keys(app)
    },
  })
  t.teardown(() => app.close())
  return {
    name: service.name === 'authentication' ? 'auth' : service.name,
    app,
    service,
    url: await app.listen({ host: '127.0.0.1', port }),
    routes,
  }
}

export interface StackOptions {
  /** Further variables of the services. */
  more?: Record<string, string>
  /** What each service is wrapped in before it is built. */
  wrap?: (service: Service) => Service
}

export async function startStack(t: Teardown, { more = {}, wrap = service => service }: StackOptions = {}) {
  const redis = await privateRedis(t)
  const dir = mkdtempSync(join(tmpdir(), 'matrix-'))
  t.teardown(() => rmSync(dir, { recursive: true, force: true }))
  const [ragPort, agentPort, authPort] = [await freePort(), await freePort(), await freePort()]
  const env = environment(redis, {
    ...Object.fromEntries(['AGENT', 'UPLOAD', 'RAG_QUERY'].map(name => [`LIMIT_${name}_PER_MIN`, '0'])),
    ADMIN_USERNAME: 'root',
    ADMIN_PASSWORD: password,
    AUDIT_DIR: join(dir, 'audit'),
    AUTH_SERVICE_URL: `http://127.0.0.1:${authPort}`,
    AGENT_SERVICE_URL: `http://127.0.0.1:${agentPort}`,
    RAG_SERVICE_URL: `http://127.0.0.1:${ragPort}`,
    RAG_DATA_DIR: join(dir, 'rag'),
    RAG_MODELS_DIR: join(import.meta.dirname, '../../run/models'),
    RAG_FREE_BYTES_MIN: '0',
    ...more,
  })
  const auth = await run(t, wrap(authService(authConfig(env))), authPort)
  const rag = await run(t, wrap(ragService(ragConfig(env))), ragPort)
  const agent = await run(t, wrap(agentService(loadConfig(AgentConfig, env))), agentPort)
  const signing = await signingKey(auth.app.redis, env.JWT_SECRET_KEY)
  const people = new Map<string, Person>()
  const credentials = new Map<Who, Credential>()

  const root = () => people.get('root') as Person
  const key = async (owner: Person) => {
    const rights = ['read:agent', 'write:agent', 'read:rag', 'write:rag']
    const { body } = await owner.ask('POST', '/api-keys', { name: 'k', permissions: rights, expires_in_days: 1 })
    return { id: body.id as string, headers: { authorization: `Bearer ${body.key}` } }
  }

  /** Signs everybody in (again), so that each credential is what its name says. */
  async function arrive() {
    const sign = async (name: string) => people.set(name, await personAt(auth.app, name)).get(name) as Person
    await sign('root')
    const before = people.get('sleeper')
    if (before) await root().ask('PATCH', `/users/${before.user_id}`, { disabled: false })
    const sleeper = await sign('sleeper')
    await root().ask('PATCH', `/users/${sleeper.user_id}`, { disabled: true })
    const { user_id: visitor } = await sign('visitor')
    await root().ask('PATCH', `/users/${visitor}`, { role: 'guest' })
    const guest = await sign('visitor')
    const [user, other, gone] = [await sign('user'), await sign('other'), await sign('user')]
    await gone.ask('POST', '/logout')
    people.set('user', user)
    const [living, dead] = [await key(user), await key(user)]
    await user.ask('DELETE', `/api-keys/${dead.id}`)
    const elsewhere = sealed(signing, headerOf(signing), { ...claimsOf(user.token), aud: 'another service' })
    const { user_id } = user
    const all: Record<Who, Credential> = {
      anonymous: { headers: {}, user_id },
      revoked: gone,
      disabled: sleeper,
      'deleted key': { headers: dead.headers, user_id },
      'wrong audience': { headers: { authorization: `Bearer ${elsewhere}` }, user_id },
      guest,
      user,
      other,
      key: { headers: living.headers, user_id },
      admin: root(),
    }
    for (const who of [...nobodies, ...somebodies]) credentials.set(who, all[who])
  }
  await arrive()

  return {
    redis,
    env,
    signing,
    /** A real Envoy before the three. */
    edge: () => startEnvoy(t, { auth: authPort, agent: agentPort, rag: ragPort }),
    auth,
    agent,
    rag,
    arrive,
    as: (who: Who) => credentials.get(who) as Credential,
    user: () => people.get('user') as Person,
    root,
    key,
    /** Asks a service as someone. */
    ask: (service: Running, who: Who) => asking(service.app, credentials.get(who)?.headers),
  }
}
