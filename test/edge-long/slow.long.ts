// Two thousand clients that send or read slowly, and one who does not: what he waits, beside what he waited before.
import { once } from 'node:events'
import { Agent } from 'node:http'
import { setTimeout as pause } from 'node:timers/promises'
import { Worker } from 'node:worker_threads'
import t, { type Test } from 'tap'
import { startStack } from '../../deploy/stack.ts'
import { askAt } from '../edge/envoy.ts'
import { person } from '../support/client.ts'
import { folder } from '../support/folder.ts'
import type { Clients } from './slow-clients.ts'

const COUNT = 2_000
/** Asked in rounds, of which the quietest counts: what else the machine does only ever adds, what slow clients cost is in all of them. */
const ROUNDS = 5
const ASKED = 200
const EVERY_MS = 5
/** How many of them the edge must have cut off, to be sure that it does, and by when: the longest it lets anyone be silent is 30 s here. */
const CUT_MIN = 100
const CUT_MS_MAX = 40_000
/** What a reader asks for: more than the buffers on the way to him hold, so that the edge has to wait for him. */
const PAGE_BYTES = 384 * 1024
/** Senders are cut off after 10 s, so from then on as many go and come all the time. */
const SENDER_EVERY_MS = 5
/** Readers have all come before the first is cut off after 30 s, with time enough to measure. */
const READER_EVERY_MS = 8

const limits = ['CALLER_PER_MIN', 'ADDRESS_PER_MIN', 'LOGIN_PER_MIN'].map(name => [`LIMIT_${name}`, '0'])
const stack = await startStack({ dir: folder(t), env: { ...Object.fromEntries(limits), LOG_LEVEL: 'warn' } })
t.teardown(() => stack.stop())
const ada = await person(stack.url, 'ada')
const headers = { authorization: `Bearer ${ada.token}` }
const agent = new Agent({ keepAlive: true })
t.teardown(() => agent.destroy())

/** What a person waits for a small answer of the service that the others ask, in milliseconds: the middle and the slowest of a hundred. */
async function waited(path: string) {
  const rounds: { p50: number; p99: number }[] = []
  for (let round = 0; round < ROUNDS; round++) {
    const ms: number[] = []
    for (let i = 0; i < ASKED; i++) {
      const from = performance.now()
      const { status } = await askAt(stack.ports.gateway, path, { headers, agent })
      if (status !== 200) throw new Error(`The person was told ${status}`)
      ms.push(performance.now() - from)
      await pause(EVERY_MS)
    }
    ms.sort((a, b) => a - b)
    rounds.push({ p50: Number(ms[ASKED / 2]), p99: Number(ms[ASKED * 0.99]) })
  }
  const p99s = rounds.map(({ p99 }) => p99)
  return { p50: Math.min(...rounds.map(({ p50 }) => p50)), p99: Math.min(...p99s), worst: Math.max(...p99s) }
}
type Waited = Awaited<ReturnType<typeof waited>>

/** Lets others come until the test ends, or until it is told that they shall go. */
function others(t: Test, clients: Omit<Clients, 'port' | 'count'>) {
  const worker = new Worker(new URL('slow-clients.ts', import.meta.url), {
    workerData: { ...clients, port: stack.ports.gateway, count: COUNT } satisfies Clients,
  })
  const go = () => worker.terminate()
  t.teardown(go)
  return { all: once(worker, 'message'), go }
}

/** A number of the edge's own about those who come to it, such as how many connections it has ended so far. */
async function counted(name: string): Promise<number> {
  const { text } = await askAt(stack.ports.admin, `/stats?filter=^http.edge.downstream_${name}$`)
  return Number(/: (\d+)/.exec(text)?.[1])
}
const cutOff = () => counted('cx_destroy_local')

/** A client that does not send or read may not even learn of it, so the edge is asked. */
async function areCut(t: Test, before: number) {
  const late = Date.now() + CUT_MS_MAX
  while ((await cutOff()) < before + CUT_MIN && Date.now() < late) await pause(100)
  t.ok((await cutOff()) >= before + CUT_MIN, 'the slow are cut off')
}

const told = (t: Test, when: string, { p50, p99, worst }: Waited) =>
  t.comment(`${when}: p50 ${p50.toFixed(2)} ms, p99 ${p99.toFixed(2)} ms, in the worst round ${worst.toFixed(2)} ms`)

function isUnderTwice(t: Test, alone: Waited, beside: Waited) {
  told(t, 'alone', alone)
  told(t, 'beside them', beside)
  const ratio = beside.p99 / alone.p99
  t.ok(ratio < 2, `${ratio.toFixed(2)} times`)
}

await waited('/auth/me')
for (const [name, first, drop] of [
  ['head', 'GET /auth/me HTTP/1.1\r\nHost: a\r\n', 'a: b\r\n'],
  ['body', 'POST /auth/login HTTP/1.1\r\nHost: a\r\nContent-Type: application/json\r\nContent-Length: 60000\r\n\r\n{', ' '],
] as const) {
  t.test(`beside ${COUNT} clients with a slow ${name} a person's p99 stays under twice what it was`, async t => {
    const alone = await waited('/auth/me')
    const { all } = others(t, { first, drop, comeEveryMs: SENDER_EVERY_MS, reads: true })
    await all
    const before = await cutOff()
    isUnderTwice(t, alone, await waited('/auth/me'))
    await areCut(t, before)
  })
}

// To send a large answer is work, however it is read. So it is once all are there that the person waits no longer than alone; what he waits
// while they come is only told, with what he waits while as many come who read at once.
t.test(`beside ${COUNT} clients who do not read a person's p99 stays under twice what it was`, async t => {
  const { body } = await ada.upload({ name: 'long.txt', bytes: `Short.${'\n'.repeat(PAGE_BYTES)}` })
  const [{ id, job_id }] = body.documents
  t.equal((await ada.settled(job_id)).body.state, 'ready')
  const first = `GET /rag/documents/${id}/content HTTP/1.1\r\nHost: a\r\nAuthorization: ${headers.authorization}\r\n\r\n`
  const readers = { first, drop: '', comeEveryMs: READER_EVERY_MS }

  await waited('/rag/status')
  const alone = await waited('/rag/status')
  const quick = others(t, { ...readers, reads: true })
  const besideQuick = await waited('/rag/status')
  await quick.all
  await quick.go()
  while ((await counted('cx_active')) > 1) await pause(100)

  const slow = others(t, { ...readers, reads: false })
  const coming = await waited('/rag/status')
  await slow.all
  const before = await cutOff()
  isUnderTwice(t, alone, await waited('/rag/status'))
  told(t, 'while they came', coming)
  told(t, 'while as many came who read at once', besideQuick)
  t.ok((await counted('rq_active')) >= COUNT, 'the edge waits for every one of them until now')
  await areCut(t, before)
})
