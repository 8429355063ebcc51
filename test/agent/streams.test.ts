// A question as a stream: what happens on the way, from any event on, with exactly one end.
import { createServer } from 'node:http'
import { setTimeout as pause } from 'node:timers/promises'
import t from 'tap'
import { AgentConfig } from '../../src/agent/config.ts'
import { agentService } from '../../src/agent/plugin.ts'
import { loadConfig } from '../../src/platform/config.ts'
import { buildService } from '../../src/platform/service.ts'
import { eventsIn } from './events.ts'
import { house } from './house.ts'

const here = await house(t)
const { person, url, replica, agentEnv } = here
const question = 'When does the ferry to Lomma leave?'
const ends = ['done', 'error', 'cancelled']

const stream = (headers: Record<string, string>, to = url, signal?: AbortSignal) =>
  fetch(`${to}/query`, {
    method: 'POST',
    headers: { ...headers, accept: 'text/event-stream', 'content-type': 'application/json' },
    body: JSON.stringify({ user_request: question }),
    ...(signal && { signal }),
  })

/** An agent on the same Redis whose rag takes a search and never answers; `asked` resolves when it has been asked. */
async function silentHouse() {
  const asked = Promise.withResolvers<void>()
  const dropped = Promise.withResolvers<void>()
  const rag = createServer((_request, reply) => {
    asked.resolve()
    reply.once('close', dropped.resolve)
  }).listen(0, '127.0.0.1')
  await new Promise(resolve => rag.once('listening', resolve))
  const address = rag.address() as { port: number }
  const config = loadConfig(AgentConfig, { ...agentEnv, RAG_SERVICE_URL: `http://127.0.0.1:${address.port}` })
  const app = await buildService(agentService(config))
  t.teardown(async () => {
    rag.closeAllConnections()
    rag.close()
    await app.close()
  })
  return { app, url: await app.listen({ host: '127.0.0.1', port: 0 }), asked: asked.promise, dropped: dropped.promise }
}

async function settled(who: Awaited<ReturnType<typeof person>>, runId: string) {
  for (;;) {
    const { state } = (await who.send('GET', `/runs/${runId}`)).json()
    if (state !== 'running') return state as string
    await pause(20)
  }
}

const ada = await person('ada')
await ada.store('ferry', 'The ferry to Lomma leaves at 07:40 from pier nine.')

t.test('a stream tells each step and ends once, and its deltas are the answer', async t => {
  const reply = await stream(ada.headers)
  t.match(reply.headers.get('content-type'), 'text/event-stream')
  const events = eventsIn(await reply.text())
  t.same(
    events.map(({ event }) => event),
    ['run', 'step', 'passages', 'delta', 'citation', 'done'],
  )
  const last = events.at(-1)?.data
  t.match(last, { grounded: true, final_response: /07:40/, usage: { input_tokens: 0, output_tokens: 0 } })
  const deltas = events.filter(({ event }) => event === 'delta').map(({ data }) => data.text)
  t.equal(deltas.join(''), last.final_response)
  t.same(
    events.filter(({ event }) => event === 'citation').map(({ data }) => data),
    last.citations,
  )
  const ids = events.map(({ id }) => id.split('-').map(Number))
  for (const [at, [ms = 0, sequence = 0]] of ids.entries()) {
    const [msBefore = 0, sequenceBefore = -1] = ids[at - 1] ?? []
    t.ok(ms > msBefore || (ms === msBefore && sequence > sequenceBefore), 'ids grow')
  }

  t.test('and any replica, also one started afterwards, takes it up after any event', async t => {
    const other = await replica()
    for (const [at, { id }] of events.entries()) {
      const headers = { ...ada.headers, 'last-event-id': id }
      const rest = await fetch(`${other.url}/runs/${last.run_id}/events`, { headers })
      t.same(eventsIn(await rest.text()), events.slice(at + 1))
    }
    t.same((await ada.send('GET', `/runs/${last.run_id}`)).json(), {
      run_id: last.run_id,
      state: 'done',
      conversation_id: last.conversation_id,
      result: last,
      failure: null,
      usage: last.usage,
    })
    const wrong = await fetch(`${other.url}/runs/${last.run_id}/events`, { headers: { ...ada.headers, 'last-event-id': 'x' } })
    t.equal(wrong.status, 400)
  })

  t.test("and another's run is as absent as none", async t => {
    const bea = await person('bea')
    const absent = (await bea.send('GET', `/runs/${'0'.repeat(32)}`)).json()
    for (const [method, path] of [
      ['GET', `/runs/${last.run_id}`],
      ['GET', `/runs/${last.run_id}/events`],
      ['DELETE', `/runs/${last.run_id}`],
    ] as const) {
      const reply = await bea.send(method, path)
      t.match(reply, { statusCode: 404 }, `${method} ${path}`)
      t.equal(reply.json().message, absent.message)
    }
  })
})

t.test('deleting a run stops its work, also from another replica, and the stream says so', async t => {
  const silent = await silentHouse()
  const reply = await stream(ada.headers, silent.url)
  await silent.asked
  const [runId = ''] = await runsOfAda()
  t.equal((await ada.send('DELETE', `/runs/${runId}`)).statusCode, 204)
  await silent.dropped
  const events = eventsIn(await reply.text())
  t.match(events.at(-1), { event: 'cancelled', data: { run_id: runId, usage: { output_tokens: 0 } } })
  t.equal(events.filter(({ event }) => ends.includes(event)).length, 1)
  t.equal((await ada.send('DELETE', `/runs/${runId}`)).statusCode, 204, 'again: nothing more happens')
  t.equal(await settled(ada, runId), 'cancelled')
})

t.test('while there is nothing to tell, a stream of a run of its own process asks Redis for nothing', async t => {
  const silent = await silentHouse()
  const leave = new AbortController()
  const reply = await stream(ada.headers, silent.url, leave.signal)
  await silent.asked
  await pause(200) // what was told at its begin has been read by then
  const looks: string[][] = []
  const monitor = await here.app.redis.monitor()
  monitor.on('monitor', (_time: string, [command = '', key = '']: string[]) => {
    if (/^xrange$/i.test(command) && key.startsWith('run:')) looks.push([command, key])
  })
  await pause(1500)
  monitor.disconnect()
  t.same(looks, [])
  leave.abort()
  await reply.text().catch(() => undefined)
})

t.test('a run that failed names the request it can be found by in the log', async t => {
  const config = loadConfig(AgentConfig, { ...agentEnv, RAG_SERVICE_URL: 'http://127.0.0.1:1' })
  const app = await buildService(agentService(config))
  t.teardown(() => app.close())
  const reply = await stream(ada.headers, await app.listen({ host: '127.0.0.1', port: 0 }))
  const last = eventsIn(await reply.text()).at(-1)
  t.match(last, { event: 'error', data: { code: 'unavailable', request_id: reply.headers.get('x-request-id') } })
})

t.test('a client that leaves cancels the work', async t => {
  const silent = await silentHouse()
  const leave = new AbortController()
  const reply = await stream(ada.headers, silent.url, leave.signal)
  await silent.asked
  const [runId = ''] = await runsOfAda()
  leave.abort()
  await reply.text().catch(() => undefined)
  await silent.dropped
  t.equal(await settled(ada, runId), 'cancelled')
})

t.test('a stream ends when the session it was asked with ends', async t => {
  const silent = await silentHouse()
  const dot = await person('dot')
  const reply = await stream(dot.headers, silent.url)
  await silent.asked
  await here.authApp.inject({ method: 'POST', url: '/logout', headers: dot.headers })
  const events = eventsIn(await reply.text())
  t.match(events.at(-1), { event: 'cancelled' })
  await silent.dropped
})

t.test('a run whose process died is ended by whoever looks next', async t => {
  const silent = await silentHouse()
  const leave = new AbortController()
  const reply = await stream(ada.headers, silent.url, leave.signal)
  await silent.asked
  const [runId = ''] = await runsOfAda()
  t.teardown(async () => {
    leave.abort()
    await reply.text().catch(() => undefined)
  })
  // As if it had not been renewed: a kill would look the same here.
  await here.app.redis.hset(`run:{${ada.user_id}}:${runId}`, 'until', 1)
  const run = await ada.send('GET', `/runs/${runId}`)
  t.match(run.json(), { state: 'error', failure: 'unavailable', result: null })
  const events = eventsIn((await ada.send('GET', `/runs/${runId}/events`)).body)
  t.match(events.at(-1), { event: 'error', data: { code: 'unavailable', usage: {} } })
})

/** Ids of ada's runs, the newest first. */
function runsOfAda() {
  return here.app.redis.zrange(`runs:{${ada.user_id}}`, '0', '-1', 'REV')
}
