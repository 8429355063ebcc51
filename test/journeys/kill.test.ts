// Any part may die at any moment: what was accepted is finished after the restart, once, and what is away is said as such.
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { setTimeout as pause } from 'node:timers/promises'
import t from 'tap'
import { startStack } from '../../deploy/stack.ts'
import { healthOnce, person } from '../support/client.ts'

const dir = await mkdtemp(join(tmpdir(), 'kill-'))
t.teardown(() => rm(dir, { recursive: true, force: true }))
const stack = await startStack({ dir, env: { LIMIT_ADDRESS_PER_MIN: '0' } })
t.teardown(() => stack.stop())
const { url } = stack

/** One paragraph per fact, so that every fact is to be found once. */
const book = (name: string, facts: number) =>
  Array.from(
    { length: facts },
    (_, i) => `Ledger ${name} entry ${i}: crate ${name}${1000 + i} was weighed by the harbour master.`,
  ).join('\n\n')

t.test('rag killed in the middle of ingests: every accepted document is searchable once after the restart', async t => {
  const ada = await person(url, 'ada')
  const accepted: { job_id: string; name: string }[] = []
  for (const [i, wait] of [100, 700].entries()) {
    const name = `q${i}`
    const reply = await ada.upload({ name: `${name}.txt`, bytes: book(name, 60) })
    t.equal(reply.status, 202, reply.text)
    accepted.push({ job_id: reply.body.documents[0].job_id, name })
    await pause(wait)
    await stack.kill('rag')
    t.match(await ada.send('GET', '/rag/documents'), { status: 503, body: { code: 'unavailable' } }, 'while it is away')
    await stack.restart('rag')
  }
  for (const { job_id, name } of accepted) {
    t.match((await ada.settled(job_id)).body, { state: 'ready' }, name)
    const found = await ada.send('POST', '/rag/search', { query: `${name}1042`, mode: 'lexical', top_k: 20 })
    const holding = found.body.passages.filter(({ content }: { content: string }) => content.includes(`crate ${name}1042 `))
    const places = holding.map(({ start_byte }: { start_byte: number }) => start_byte)
    t.ok(holding.length >= 1, `${name} is found`)
    t.equal(new Set(places).size, places.length, `${name}: no passage twice`)
  }
  const { body } = await ada.send('GET', '/rag/documents')
  t.equal(body.documents.length, accepted.length)
})

t.test('each part killed and started again: 503 meanwhile, and the same session goes on afterwards', async t => {
  const bea = await person(url, 'bea')
  const asks = { auth: '/auth/me', agent: '/agent/status', redis: '/rag/documents' } as const
  for (const part of ['auth', 'agent', 'redis'] as const) {
    await stack.kill(part)
    t.match(await bea.send('GET', asks[part]), { status: 503, body: { code: 'unavailable' } }, `${part} away`)
    const services = { auth: 'up', agent: 'up', rag: 'up', [part]: 'down' } as const
    if (part !== 'redis') t.match(await healthOnce(url, services), { status: 503, body: { services } }, `health without ${part}`)
    await stack.restart(part)
    const late = Date.now() + 20_000
    while ((await bea.send('GET', asks[part])).status !== 200 && Date.now() < late) await pause(100)
    t.equal((await bea.send('GET', asks[part])).status, 200, `${part} back`)
  }
})
