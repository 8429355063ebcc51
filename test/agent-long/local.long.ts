// The model of this machine with its real weights: what it may say, what it costs the others, and that nothing of it outlives its service.
import { spawn } from 'node:child_process'
import { existsSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { monitorEventLoopDelay } from 'node:perf_hooks'
import { setTimeout as pause } from 'node:timers/promises'
import t from 'tap'
import { startProcess } from '../../src/agent/models/local-process.ts'
import { SMALLTALK } from '../../src/agent/models/local-weights.ts'
import { house } from '../agent/house.ts'

const root = join(import.meta.dirname, '../..')
const weights = join(root, SMALLTALK)
const name = 'local/SmolLM2-135M-Instruct.Q4_1'
const LONG = 'Write a long story about a well, a mill and a kiln, in many sentences.'
/** Longest the event loop may be held up while the model talks, in milliseconds (the 99th percentile). */
const DELAY_MS_MAX = 200
/** Longest from a cancellation to the end of the work, in milliseconds. */
const CANCEL_MS_MAX = 1500

if (!existsSync(weights)) {
  t.plan(0, `there are no weights at ${SMALLTALK}; bring them with: make smalltalk`)
  process.exit()
}

/** Children of a process that run the model. */
function children(of: number): number[] {
  const found = readFileSync(`/proc/${of}/task/${of}/children`, 'utf8').trim().split(' ').filter(Boolean).map(Number)
  return found.filter(pid => read(pid, 'cmdline').includes('local-child.ts'))
}

function read(pid: number, what: string): string {
  try {
    return readFileSync(`/proc/${pid}/${what}`, 'latin1')
  } catch {
    return ''
  }
}

async function until(isSo: () => boolean | Promise<boolean>) {
  while (!(await isSo())) await pause(20)
}

const talk = await house(t, { LOCAL_MODEL_PATH: weights })
const ada = await talk.person('ada')
await ada.store(
  'kiln',
  'The kiln must cool for eighteen hours before it is opened.\n\nThe mill grinds 40 tonnes of barley a week.',
)

t.test('nothing is loaded before the first small talk, and documents are answered without it', async t => {
  t.match((await ada.ask({ user_request: 'How long must the kiln cool?' })).json(), { answerer: 'extractive', grounded: true })
  t.same(children(process.pid), [])
  t.same(
    (await ada.send('GET', '/v1/models')).json().data.map(({ id }: { id: string }) => id),
    ['extractive', name],
  )
})

t.test('small talk is answered by it, the same each time, and its tokens are counted', async t => {
  const first = (await ada.ask({ user_request: 'Hello, how are you?' })).json()
  t.match(first, { answerer: name, grounded: false, citations: [], final_response: /\w+/, steps: [] })
  t.notOk('fallbacks' in first)
  const { input_tokens, output_tokens } = first.usage
  t.ok(input_tokens > 20 && input_tokens < 200 && output_tokens > 2 && output_tokens < 100, JSON.stringify(first.usage))
  const second = (await ada.ask({ user_request: 'Hello, how are you?' })).json()
  t.equal(second.final_response, first.final_response)
  t.match((await ada.send('GET', '/usage')).json(), { used: 2 * (input_tokens + output_tokens), reserved: 0 })
})

t.test('its process holds no environment and can reach neither network nor files', async t => {
  const [pid = 0] = children(process.pid)
  t.equal(read(pid, 'environ'), '')
  t.match(read(pid, 'cmdline'), /--permission/)
  t.notMatch(read(pid, 'cmdline'), /--allow-(net|fs-write)/)
})

t.test('others are not held up while it talks', async t => {
  const delay = monitorEventLoopDelay({ resolution: 5 })
  delay.enable()
  const talking = ada.ask({ user_request: LONG, mode: 'chat', max_output_tokens: 120 })
  const [slowest] = await Promise.all([
    (async () => {
      let worst = 0
      for (let n = 0; n < 50; n += 1) {
        const began = performance.now()
        await talk.app.inject('/health')
        worst = Math.max(worst, performance.now() - began)
        await pause(20)
      }
      return worst
    })(),
    talking,
  ])
  delay.disable()
  t.comment(`event loop p99 ${(delay.percentile(99) / 1e6).toFixed(1)} ms, slowest /health ${slowest.toFixed(1)} ms`)
  t.ok(delay.percentile(99) / 1e6 < DELAY_MS_MAX, `${delay.percentile(99) / 1e6} ms`)
})

t.test('a cancelled run stops it soon, what it said is counted, and the next one is answered', async t => {
  const bea = await talk.person('bea')
  const reply = await fetch(`${talk.url}/query`, {
    method: 'POST',
    headers: { ...bea.headers, accept: 'text/event-stream', 'content-type': 'application/json' },
    body: JSON.stringify({ user_request: LONG, mode: 'chat', max_output_tokens: 500 }),
  })
  const reader = (reply.body as ReadableStream<Uint8Array>).getReader()
  let heard = ''
  while (!heard.includes('event: delta')) heard += Buffer.from((await reader.read()).value ?? []).toString()
  const id = /"run_id":"(\w+)"/.exec(heard)?.[1] ?? ''
  const began = performance.now()
  t.match(await bea.send('DELETE', `/runs/${id}`), { statusCode: 204 })
  await until(async () => (await bea.send('GET', `/runs/${id}`)).json().state === 'cancelled')
  t.ok((await bea.send('GET', `/runs/${id}`)).json().usage.output_tokens > 0)
  t.ok(performance.now() - began < CANCEL_MS_MAX, `${performance.now() - began} ms`)
  await reader.cancel()
  t.match((await bea.ask({ user_request: 'Good morning!' })).json(), { answerer: name, final_response: /\w/ })
})

t.test('killed while it talks, it is passed over with the reason, and is there again for the next', async t => {
  const asked = ada.ask({ user_request: LONG, mode: 'chat', max_output_tokens: 500 })
  const [pid = 0] = children(process.pid)
  await pause(1500)
  process.kill(pid, 'SIGKILL')
  const body = (await asked).json()
  t.match(body.fallbacks, [{ answerer: name, reason: 'unreachable' }])
  t.match(body.final_response, /stopped here, before it had finished\.|does not answer just now\./)
  t.match((await ada.ask({ user_request: 'Good morning!' })).json(), { answerer: name, final_response: /\w/ })
  t.notSame(children(process.pid), [pid])
})

t.test('one is answered at a time, some wait, and those beyond are told to come again', async t => {
  const all = await Promise.all(
    Array.from({ length: 14 }, () => ada.ask({ user_request: 'Thanks, friend!', max_output_tokens: 20 })),
  )
  const refused = all.filter(({ statusCode }) => statusCode === 503)
  t.ok(refused.length >= 1 && refused.length <= 6, `${refused.length} were refused`)
  for (const one of refused) t.match(one.headers, { 'retry-after': /\d/ })
  const answered = all.filter(({ statusCode }) => statusCode === 200)
  t.equal(answered.length + refused.length, all.length)
  t.match((await ada.send('GET', '/usage')).json(), { reserved: 0 })
  t.equal(children(process.pid).length, 1)
})

t.test(
  'chosen for documents, it says only what a passage bears; otherwise the built-in answerer does, with the reason',
  async t => {
    const read = await house(t, { LOCAL_MODEL_PATH: weights, DEFAULT_LLM_PROVIDER: 'local' })
    const cyn = await read.person('cyn')
    const facts = [
      'The north well was sealed on 3 May 1921 by Ines Okafor.',
      'The kiln must cool for eighteen hours before it is opened.',
    ]
    for (const [at, fact] of facts.entries()) await cyn.store(`fact ${at}`, fact)
    let own = 0
    for (const [question, expected] of [
      ['When was the north well sealed?', /3 May 1921/],
      ['How long must the kiln cool?', /eighteen/],
      ['Who sealed the north well?', /Okafor/],
    ] as const) {
      const body = (await cyn.ask({ user_request: question, mode: 'documents' })).json()
      t.comment(`${question} ${body.answerer}: ${body.final_response} ${JSON.stringify(body.fallbacks ?? '')}`)
      t.match(body, { grounded: true, final_response: expected })
      own += Number(body.answerer === name)
      if (body.answerer !== name)
        t.match(body, { answerer: 'extractive', fallbacks: [{ answerer: name, reason: 'unsupported' }] })
      for (const { quote, href, start_byte, end_byte } of body.citations)
        t.match(await cyn.text(href, `bytes=${start_byte}-${end_byte - 1}`), { statusCode: 206, body: quote })
    }
    t.ok(own > 0, 'some of it was its own')
  },
)

t.test('one that takes more memory than it was given is killed', async t => {
  const greedy = startProcess(weights, 100 * 1024 * 1024)
  await t.rejects(greedy.ready, { reason: 'unusable', cause: { message: /SIGKILL/ } })
  t.ok(greedy.isOver())
})

t.test('it ends with its service, also with one that is killed', async t => {
  await talk.app.close()
  t.same(children(process.pid), [])
  const from = new URL('../../src/agent/models/local.ts', import.meta.url).href
  const code = `
    import { openLocal } from ${JSON.stringify(from)}
    const model = openLocal({ path: ${JSON.stringify(weights)}, bytes: 1e8 }, { warn: console.error })
    const messages = [{ role: 'user', text: ${JSON.stringify(LONG)} }]
    for await (const piece of model.turn({ messages, tools: [], outputTokensMax: 500 }, new AbortController().signal)) console.log('.')`
  const service = spawn(process.execPath, ['--input-type=module', '-e', code], { env: {}, stdio: ['ignore', 'pipe', 'inherit'] })
  await new Promise(resolve => service.stdout.once('data', resolve))
  const [pid = 0] = children(service.pid ?? 0)
  t.ok(pid > 0)
  service.kill('SIGKILL')
  await until(() => !existsSync(`/proc/${pid}`))
  t.pass('it is gone')
})
