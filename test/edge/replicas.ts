// The real services as processes, two of those that a test names, behind a real Envoy that balances them.
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { setTimeout as pause } from 'node:timers/promises'
import type { Test } from 'tap'
import { openLog } from '../../deploy/log.ts'
import { type Part, takeCharge } from '../../deploy/part.ts'
import { freePorts } from '../../deploy/ports.ts'
import { servicePart } from '../../deploy/services.ts'
import { startStack } from '../../deploy/stack.ts'
import { type RunningEnvoy, type Service, startEnvoy, withReplicas } from './envoy.ts'

const MS_MAX = 30_000
const LOOK_EVERY_MS = 20

interface Replicated {
  /** Ends a replica as an operator does: it is asked to, and ends by itself. */
  stop(replica: 0 | 1): Promise<void>
  kill(replica: 0 | 1): Promise<void>
  start(replica: 0 | 1): Promise<void>
}

export interface Replicas extends RunningEnvoy, Record<Service, Replicated> {
  url: string
  /** Resolves once the edge holds so many replicas of a service for ready. */
  ready(service: Service, count: number): Promise<void>
  /** How many requests the edge has sent to each replica. */
  sent(service: Service): Promise<number[]>
}

/** Starts all of it, a second replica of each of `twice`; it ends with the test. `env` are variables of every service. */
export async function startReplicas(t: Test, env: Record<string, string>, twice: Service[]): Promise<Replicas> {
  const dir = mkdtempSync(join(tmpdir(), 'replicas-'))
  t.teardown(() => rmSync(dir, { recursive: true, force: true }))
  const stack = await startStack({ dir, env: { STOP_NOTICE_S: '4', ...env }, parts: ['redis', 'auth', 'agent', 'rag'] })
  t.teardown(() => stack.stop())
  const ports = await freePorts({})
  const seconds = Object.fromEntries(twice.map(service => [service, ports[service]]))

  async function replicated(service: Service): Promise<Replicated> {
    const first: Replicated = {
      stop: () => stack.kill(service, 'SIGTERM'),
      kill: () => stack.kill(service),
      start: () => stack.restart(service),
    }
    if (!twice.includes(service)) return first
    const log = openLog(join(dir, `second-${service}.log`))
    // Rag has one process per data folder; here a second one stands for a second shard.
    const more = {
      [`${service.toUpperCase()}_SERVICE_PORT`]: String(ports[service]),
      RAG_DATA_DIR: join(dir, 'second-rag'),
      ADMIN_USERNAME: '',
    }
    const plan = servicePart(service, ports[service], dir, { ...stack.env, ...more })
    const second: Part = takeCharge(plan, { log, say: () => undefined, process: () => undefined })
    await second.start()
    t.teardown(async () => {
      await second.kill('SIGKILL')
      log.close()
    })
    return {
      stop: replica => (replica === 1 ? second.stop() : first.stop(0)),
      kill: replica => (replica === 1 ? second.kill('SIGKILL') : first.kill(0)),
      start: replica => (replica === 1 ? second.start() : first.start(0)),
    }
  }
  const [auth, agent, rag] = await Promise.all([replicated('auth'), replicated('agent'), replicated('rag')])
  const { auth: a, agent: b, rag: c } = stack.ports
  const envoy = await startEnvoy(t, { auth: a, agent: b, rag: c }, { clusters: withReplicas(seconds) })

  async function ready(service: Service, count: number) {
    const late = Date.now() + MS_MAX
    const stat = `cluster.${service}.membership_healthy: ${count}\n`
    while (!(await envoy.admin(`/stats?filter=cluster.${service}.membership_healthy`)).text.includes(stat)) {
      if (Date.now() > late) throw new Error(`The edge does not see ${count} replicas of ${service}`)
      await pause(LOOK_EVERY_MS)
    }
  }
  for (const service of ['auth', 'agent', 'rag'] as const) await ready(service, twice.includes(service) ? 2 : 1)
  return {
    ...envoy,
    url: `http://127.0.0.1:${envoy.port}`,
    auth,
    agent,
    rag,
    ready,
    sent: async service => {
      const { text } = await envoy.admin('/clusters')
      return [...text.matchAll(new RegExp(`^${service}::[\\d.:]+::rq_total::(\\d+)$`, 'gm'))].map(([, count]) => Number(count))
    },
  }
}
