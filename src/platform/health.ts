// Three different questions: `/health` says that the process lives, `/ready` whether everything it needs is there, `/gateway/health` whether
// all services are. Only the second takes a replica out of balance; the third is the edge's `/health`, asked of whichever service is there.
import { readFileSync } from 'node:fs'
import type { FastifyInstance } from 'fastify'
import Type from 'typebox'
import { FailureBody } from '../contracts/failure.ts'
import type { ServiceUrls } from './config.ts'
import { failure } from './errors.ts'
import { isOlder } from './redis.ts'

export type ServiceName = 'authentication' | 'agent' | 'rag'

/** Longest wait for one part to say whether it is there, in milliseconds. */
const PART_MS_MAX = 250
/** Longest wait for one service to say whether it is ready, in milliseconds. */
const READY_MS_MAX = 300

export const { version } = JSON.parse(readFileSync(new URL('../../package.json', import.meta.url), 'utf8')) as { version: string }

declare module 'fastify' {
  interface FastifyInstance {
    /** Names a part `/ready` waits for; `check` resolves to false or rejects while it is missing. */
    needs(part: string, check: () => boolean | Promise<boolean>): void
    /** Something the edge's configuration page tells about this service. */
    tells(name: string, value: string): void
  }
}

const Health = Type.Object(
  { status: Type.String(), service: Type.String(), timestamp: Type.String({ format: 'date-time' }), version: Type.String() },
  { title: 'Health' },
)
const Ready = Type.Object({ ...Health.properties, about: Type.Record(Type.String(), Type.String()) }, { title: 'Ready' })

const Whole = Type.Object(
  { ...Health.properties, services: Type.Record(Type.String(), Type.Enum(['up', 'down'])) },
  { title: 'HealthOfAll' },
)

/** What a service says of itself, and that it is down when it says nothing in time. */
export async function readyAt(url: string): Promise<{ up: boolean; about: Record<string, string> }> {
  try {
    const reply = await fetch(new URL('/ready', url), { signal: AbortSignal.timeout(READY_MS_MAX) })
    const { about = {} } = (await reply.json()) as { about?: Record<string, string> }
    return { up: reply.ok, about }
  } catch {
    return { up: false, about: {} }
  }
}

/** Registers `/health`, `/ready` and what both ask, and `/gateway/health` of all `services`. */
export function registerHealth(app: FastifyInstance, service: ServiceName, services: ServiceUrls) {
  const parts = new Map<string, () => boolean | Promise<boolean>>()
  const about: Record<string, string> = {}
  app.decorate('needs', (part, check) => void parts.set(part, check))
  app.decorate('tells', (name, value) => void Object.assign(about, { [name]: value }))
  app.needs('redis', async () => !(await isOlder(app.redis)))

  const now = (status: string) => ({ status, service, timestamp: new Date().toISOString(), version })
  const open = { access: 'public', unlimited: true } as const

  app.get('/health', { config: open, schema: { response: { 200: Health } } }, () => now('healthy'))

  app.get('/ready', { config: open, schema: { response: { 200: Ready, 503: FailureBody } } }, async () => {
    const missing: string[] = []
    await Promise.all([...parts].map(async ([part, check]) => (await there(check)) || missing.push(part)))
    if (missing.length > 0) {
      throw failure('unavailable', undefined, { details: missing.toSorted().map(path => ({ path, problem: 'is not there' })) })
    }
    return { ...now('ready'), about }
  })

  /** What the services say, asked once for all who want to know meanwhile: whoever is asked by a crowd must not seem down to it. */
  let looking: Promise<(readonly [string, 'up' | 'down'])[]> | undefined
  function look() {
    looking ??= Promise.all(
      Object.entries(services).map(async ([name, url]) => [name, (await readyAt(url)).up ? 'up' : 'down'] as const),
    ).finally(() => {
      looking = undefined
    })
    return looking
  }

  app.get('/gateway/health', { config: open, schema: { hide: true, response: { 200: Whole, 503: Whole } } }, async (_, reply) => {
    const said = await look()
    const isWhole = said.every(([, state]) => state === 'up')
    const whole = { ...now(isWhole ? 'healthy' : 'degraded'), service: 'gateway', services: Object.fromEntries(said) }
    return reply.code(isWhole ? 200 : 503).send(whole)
  })
}

async function there(check: () => boolean | Promise<boolean>): Promise<boolean> {
  const late = new Promise<false>(resolve => setTimeout(resolve, PART_MS_MAX, false).unref())
  return Promise.race([Promise.resolve().then(check), late]).catch(() => false)
}
