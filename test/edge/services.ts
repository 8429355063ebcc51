// The real services, in this process, behind a real Envoy. Each notes which of its routes a request arrived at, and, when a test wants
// that, answers with the name of the route instead of doing its work.
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import type { FastifyReply, FastifyRequest } from 'fastify'
import type { Test } from 'tap'
import { AgentConfig } from '../../src/agent/config.ts'
import { agentService } from '../../src/agent/plugin.ts'
import { authConfig } from '../../src/auth/config.ts'
import { authService } from '../../src/auth/plugin.ts'
import { loadConfig } from '../../src/platform/config.ts'
import type { Access } from '../../src/platform/identity.ts'
import { type Service as Built, buildService } from '../../src/platform/service.ts'
import { ragConfig } from '../../src/rag/config.ts'
import { ragService } from '../../src/rag/plugin.ts'
import { type Person, personAt } from '../auth/house.ts'
import { freePort, privateRedis } from '../support/redis.ts'
import { environment, password } from '../support/services.ts'
import { type EnvoyOptions, type RunningEnvoy, type Service, startEnvoy } from './envoy.ts'

export interface Declared {
  service: Service
  method: string
  /** As declared, `/users/:id`. */
  route: string
  access: Access
}

export interface House extends RunningEnvoy {
  /** Where the services themselves listen. */
  ports: Record<Service, number>
  /** Every route of the three plugins. */
  routes: Declared[]
  /** What arrived at a route that is not public, `service METHOD /route`, since the last time this was asked. */
  arrived(): string[]
  /** From now on a route that would run answers 200 `{ service, method, route }` instead. */
  nameRoutes(): void
  /** The admin, and anybody by name. */
  root: Person
  person(username: string): Promise<Person>
}

/** Starts all of it; it ends with the test. `more` are variables of the services. */
export async function startServices(t: Test, more: Record<string, string> = {}, options: EnvoyOptions = {}): Promise<House> {
  const redis = await privateRedis(t)
  const dir = mkdtempSync(join(tmpdir(), 'edge-services-'))
  t.teardown(() => rmSync(dir, { recursive: true, force: true }))
  const ports = { auth: await freePort(), agent: await freePort(), rag: await freePort() }
  const env = environment(redis, {
    ...Object.fromEntries(['AGENT', 'UPLOAD', 'RAG_QUERY'].map(name => [`LIMIT_${name}_PER_MIN`, '0'])),
    ADMIN_USERNAME: 'root',
    ADMIN_PASSWORD: password,
    AUDIT_DIR: join(dir, 'audit'),
    AUTH_SERVICE_URL: `http://127.0.0.1:${ports.auth}`,
    AGENT_SERVICE_URL: `http://127.0.0.1:${ports.agent}`,
    RAG_SERVICE_URL: `http://127.0.0.1:${ports.rag}`,
    RAG_DATA_DIR: join(dir, 'rag'),
    RAG_MODELS_DIR: join(import.meta.dirname, '../../run/models'),
    RAG_FREE_BYTES_MIN: '0',
    ...more,
  })
  const routes: Declared[] = []
  const arrived: string[] = []
  let naming = false

  /** Builds a service as production does, with a first and a last step of ours around what each route does before its handler. */
  async function run(service: Service, built: Built) {
    const app = await buildService({
      ...built,
      async plugin(scope) {
        scope.addHook('onRequest', async ({ method, routeOptions }) => {
          if (routeOptions.config.access !== 'public') arrived.push(`${service} ${method} ${routeOptions.url}`)
        })
        const name = async ({ method, routeOptions }: FastifyRequest, reply: FastifyReply) => {
          if (naming)
            return reply.type('application/json').serializer(JSON.stringify).send({ service, method, route: routeOptions.url })
        }
        scope.addHook('onRoute', route => {
          for (const method of [route.method].flat())
            routes.push({ service, method, route: route.url, access: route.config?.access ?? 'public' })
          route.onRequest = [route.onRequest ?? [], name].flat()
        })
        await built.plugin(scope)
      },
    })
    t.teardown(() => app.close())
    await app.listen({ host: '127.0.0.1', port: ports[service] })
    return app
  }
  const auth = await run('auth', authService(authConfig(env)))
  await run('rag', ragService(ragConfig(env)))
  await run('agent', agentService(loadConfig(AgentConfig, env)))
  return {
    ...(await startEnvoy(t, ports, options)),
    ports,
    routes,
    arrived: () => arrived.splice(0),
    nameRoutes: () => {
      naming = true
    },
    root: await personAt(auth, 'root'),
    person: username => personAt(auth, username),
  }
}
