// Two different questions: `/health` says that the process lives, `/ready` whether everything it needs is there. Only the second
// takes a replica out of balance.
import { readFileSync } from 'node:fs'
import type { FastifyInstance } from 'fastify'
import Type from 'typebox'
import { FailureBody } from '../contracts/failure.ts'
import { failure } from './errors.ts'

export type ServiceName = 'authentication' | 'agent' | 'rag'

/** Longest wait for one part to say whether it is there, in milliseconds. */
const PART_MS_MAX = 250

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

/** Registers `/health`, `/ready` and what both ask. */
export function registerHealth(app: FastifyInstance, service: ServiceName) {
  const parts = new Map<string, () => boolean | Promise<boolean>>()
  const about: Record<string, string> = {}
  app.decorate('needs', (part, check) => void parts.set(part, check))
  app.decorate('tells', (name, value) => void Object.assign(about, { [name]: value }))
  app.needs('redis', async () => (await app.redis.ping()) === 'PONG')

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
}

async function there(check: () => boolean | Promise<boolean>): Promise<boolean> {
  const late = new Promise<false>(resolve => setTimeout(resolve, PART_MS_MAX, false).unref())
  return Promise.race([Promise.resolve().then(check), late]).catch(() => false)
}
