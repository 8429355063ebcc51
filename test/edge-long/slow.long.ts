// Two thousand clients that send or read slowly, and one who does not: what he waits, beside what he waited before.
import { once } from 'node:events'
import { Agent } from 'node:http'
import { setTimeout as pause } from 'node:timers/promises'
import { Worker } from 'node:worker_threads'
import t from 'tap'
import { startStack } from '../../deploy/stack.ts'
import { askAt } from '../edge/envoy.ts'
import { person } from '../support/client.ts'

const COUNT = 2_000
const ASKED = 1_000
const EVERY_MS = 5
/** How many of them the edge must have cut off, to be sure that it does. */
const CUT_MIN = 100

const limits = ['CALLER_PER_MIN', 'ADDRESS_PER_MIN', 'LOGIN_PER_MIN'].map(name => [`LIMIT_${name}`, '0'])
const stack = await startStack({ dir: t.testdir(), env: { ...Object.fromEntries(limits), LOG_LEVEL: 'warn' } })
t.teardown(() => stack.stop())
const ada = await person(stack.url, 'ada')
const headers = { authorization: `Bearer ${ada.token}` }
const agent = new Agent({ keepAlive: true })
t.teardown(() => agent.destroy())

/** What a person waits for a small answer, in milliseconds: the middle and the slowest of a hundred. */
async function waited() {
  const ms: number[] = []
  for (let i = 0; i < ASKED; i++) {
    const from = performance.now()
    const { status } = await askAt(stack.ports.gateway, '/auth/me', { headers, agent })
    if (status !== 200) throw new Error(`The person was told ${status}`)
    ms.push(performance.now() - from)
    await pause(EVERY_MS)
  }
  ms.sort((a, b) => a - b)
  return { p50: Number(ms[ASKED / 2]), p99: Number(ms[ASKED * 0.99]) }
}

/** Connections that the edge has ended so far; a client that does not read does not even learn of it. */
async function cutOff(): Promise<number> {
  const { text } = await askAt(stack.ports.admin, '/stats?filter=^http.edge.downstream_cx_destroy_local$')
  return Number(/: (\d+)/.exec(text)?.[1])
}

await waited()
for (const kind of ['head', 'body', 'reader']) {
  t.test(`beside ${COUNT} clients with a slow ${kind} a person's p99 stays under twice what it was`, async t => {
    const alone = await waited()
    const workerData = { count: COUNT, kind, port: stack.ports.gateway }
    const clients = new Worker(new URL('slow-clients.ts', import.meta.url), { workerData })
    t.teardown(() => clients.terminate())
    await once(clients, 'message')
    const before = await cutOff()
    const beside = await waited()
    while ((await cutOff()) < before + CUT_MIN) await pause(100)
    const ratio = beside.p99 / alone.p99
    t.comment(
      `p50 ${alone.p50.toFixed(2)} → ${beside.p50.toFixed(2)} ms, p99 ${alone.p99.toFixed(2)} → ${beside.p99.toFixed(2)} ms`,
    )
    t.ok(ratio < 2, `${ratio.toFixed(2)} times`)
  })
}
