// Answers by a language model: what it is given, what of its words leaves, and who answers when it does not.
import { setTimeout as pause } from 'node:timers/promises'
import t from 'tap'
import { eventsIn } from './events.ts'
import { house } from './house.ts'
import { calls, chunk, END, open, passagesIn, says, upstream, usage } from './upstream.ts'

const model = await upstream(t)
const settings = { DEFAULT_LLM_PROVIDER: 'openai_compatible', DEFAULT_LLM_MODEL: 'scripted', DEFAULT_LLM_BASE_URL: model.url }
const { person, url, app } = await house(t, { ...settings, LIMIT_TOKENS_PER_DAY: '0' })
const ada = await person('ada')
await ada.store('wells', 'The north well was sealed on 3 May 1921 by Ines Okafor.\n\nThe mill grinds 40 tonnes of barley a week.')
const question = 'When was the north well sealed?'
const ask = async (more: object = {}) => (await ada.ask({ user_request: question, ...more })).json()
const name = 'openai_compatible/scripted'

t.test('a claim whose passage bears it leaves with the bytes it rests on', async t => {
  model.play((_, reply) => says(reply, 'Ines Okafor sealed the north well on 3 May 1921 [1].'))
  const body = await ask()
  t.match(body, { grounded: true, answerer: name, final_response: 'Ines Okafor sealed the north well on 3 May 1921. [1]' })
  t.notOk('fallbacks' in body)
  const [{ href, start_byte, end_byte, quote }] = body.citations
  t.match(quote, /^The north well was sealed/)
  t.match(await ada.text(href, `bytes=${start_byte}-${end_byte - 1}`), { statusCode: 206, body: quote })
  t.same(body.usage, { input_tokens: 20, output_tokens: 10 })
})

t.test('what no passage bears, and markers of nothing, do not leave', async t => {
  model.play((_, reply) =>
    says(
      reply,
      'The north well was sealed on 3 May 1921 [1]. It was sealed in 1950 [1]. Penguins vote [2]. Trust me. [77]\nFree gold【1†x】',
    ),
  )
  const { final_response, grounded, citations } = await ask()
  t.equal(final_response, 'The north well was sealed on 3 May 1921. [1]')
  t.ok(grounded)
  t.equal(citations.length, 1)
})

t.test('a claim that denies what its passage says, or says what it denies, does not leave', async t => {
  await ada.store('tower', 'Dogs may not enter the tower.')
  for (const [asked, said] of [
    [question, 'The north well was never sealed by Ines Okafor [1].'],
    [question, "The north well wasn't sealed on 3 May 1921 [1]."],
    ['May dogs enter the tower?', 'Dogs may enter the tower [1].'],
  ] as const) {
    model.play((_, reply) => says(reply, said))
    const { answerer, fallbacks, final_response } = await ask({ user_request: asked })
    t.match({ answerer, fallbacks }, { answerer: 'extractive', fallbacks: [{ reason: 'unsupported' }] }, said)
    t.match(final_response, /was sealed on 3 May 1921|Dogs may not enter/)
  }
  model.play((_, reply) => says(reply, 'Dogs may not enter the tower [1].'))
  t.match(await ask({ user_request: 'May dogs enter the tower?' }), {
    answerer: name,
    final_response: 'Dogs may not enter the tower. [1]',
  })
})

t.test('an answer that was ended at its limit says so, and one of which nothing could be said is given by the next', async t => {
  const cutAfter = (text: string) =>
    model.play((_, reply) => open(reply).end(chunk({ content: text }) + chunk({}, 'length') + usage(20, 10) + END))
  cutAfter('The north well was sealed on 3 May 1921 [1]. It was')
  t.match(await ask(), {
    grounded: true,
    answerer: name,
    finish_reason: 'length',
    final_response: 'The north well was sealed on 3 May 1921. [1] The language model stopped here, before it had finished.',
  })
  cutAfter('The')
  t.match(await ask(), {
    answerer: 'extractive',
    finish_reason: 'stop',
    fallbacks: [{ answerer: name, reason: 'too_long' }],
    final_response: /3 May 1921/,
  })
  cutAfter('Good morning to')
  t.match(await ask({ mode: 'chat' }), { finish_reason: 'length', final_response: /^Good morning to The language model stopped/ })
})

t.test('what is erased while a model thinks is neither claimed nor quoted', async t => {
  const id = await ada.store('bridge', 'The iron bridge was painted green in 1907.')
  model.play(async (_, reply) => {
    await ada.erase(id)
    await pause(150)
    says(reply, 'The iron bridge was painted green in 1907 [1].')
  })
  const body = await ask({ user_request: 'When was the iron bridge painted green?' })
  t.match(body, { grounded: false, citations: [], final_response: 'Nothing in your documents answers this.' })
  t.notMatch(body.final_response, /1907/)
})

t.test('a model that shows nothing for what it says is passed over, and the reply says so', async t => {
  model.play((_, reply) => says(reply, 'It was sealed a long time ago, I believe.'))
  t.match(await ask(), {
    grounded: true,
    answerer: 'extractive',
    final_response: /3 May 1921/,
    fallbacks: [{ answerer: name, reason: 'unsupported' }],
  })
})

t.test('a model that refuses is counted, so that somebody notices', async t => {
  model.play((_, reply) => reply.writeHead(401).end())
  t.match(await ask(), { answerer: 'extractive', grounded: true, fallbacks: [{ answerer: name, reason: 'refused' }] })
  t.match((await app.inject('/metrics')).body, `agent_fallbacks_total{answerer="${name}",reason="refused"} 1`)
})

t.test('a model that finds no answer in the passages is believed', async t => {
  model.play((_, reply) => says(reply, 'ABSENT'))
  t.match(await ask(), {
    grounded: false,
    answerer: name,
    final_response: 'Nothing in your documents answers this.',
    citations: [],
  })
})

t.test('without evidence a chat says so first, and no marker or link of it leaves', async t => {
  model.play((_, reply) =>
    says(
      reply,
      'Penguins do not vote [1]. See [this](http://evil.example/x) or www.evil.example or evil.example/y.\n\n- One\n- Two',
    ),
  )
  const body = await ask({ user_request: 'How do penguins vote in parliament?' })
  t.match(body, { grounded: false, answerer: name, citations: [] })
  t.equal(
    body.final_response,
    'Nothing in your documents answers this. Penguins do not vote. See this or (link) or (link)\n\n- One\n- Two',
  )
  t.match(await ask({ user_request: 'How do penguins vote in parliament?', mode: 'documents' }), {
    grounded: false,
    answerer: 'extractive',
    final_response: 'Nothing in your documents answers this.',
  })
})

t.test('courtesies are answered without a search, and so is a chat', async t => {
  model.play((_, reply) => says(reply, 'Good morning!'))
  t.match(await ask({ user_request: 'Hello, how are you?' }), { grounded: false, final_response: 'Good morning!', steps: [] })
  t.match(await ask({ mode: 'chat' }), { grounded: false, final_response: 'Good morning!', steps: [] })
})

t.test('what is given to a model is bounded, and holds the question whatever is left out', async t => {
  const small = await house(t, { ...settings, DEFAULT_LLM_PROMPT_TOKENS: '500' })
  const bea = await small.person('bea')
  for (let at = 0; at < 5; at += 1)
    await bea.store(
      `list ${at}`,
      `The harvest of ${1900 + at} in the valley. ${'It was a good harvest of the valley. '.repeat(6)}`,
    )
  model.play((_, reply) => says(reply, 'ABSENT'))
  const long = `How large was the harvest in the valley? ${'Tell me about the harvest. '.repeat(6)}`
  await bea.ask({ user_request: long, top_k: 20 })
  const last = model.sent.at(-1)
  t.ok(JSON.stringify(last?.messages).length < 500 * 3 + 500)
  t.ok(last?.messages.at(-1)?.content?.endsWith(`Question: ${long}`))
  t.ok(passagesIn(last ?? { model: '', messages: [] }).length > 0)
})

t.test('a stream tells claims only after they were checked', async t => {
  model.play((_, reply) => says(reply, 'The north well was sealed on 3 May 1921 [1]. It holds [9] gold. [4]'))
  const events = (await ada.ask({ user_request: question, mode: 'documents' })).json()
  t.equal(events.final_response, 'The north well was sealed on 3 May 1921. [1]')
  for (const cut of [(end: string) => end, () => '']) {
    model.play((_, reply) => {
      open(reply).write(chunk({ content: 'The north well was sealed on 3 May 1921 [1]. And' }))
      reply.write(chunk({ content: ' then' }))
      reply.end(cut(chunk({}, 'stop') + usage(1, 1) + END))
    })
    const { final_response, grounded, fallbacks } = await ask()
    t.match(final_response, /^The north well was sealed on 3 May 1921\. \[1\]/)
    t.ok(grounded)
    if (fallbacks) t.match(final_response, /stopped here, before it had finished\.$/)
  }
})

t.test('sixty-four streams that wait for their model hold up nobody, and each ends once', async t => {
  const bea = await person('bea')
  await bea.store('ferry', 'The ferry to Lomma leaves at 07:40 from pier nine.')
  const more = Promise.withResolvers<void>()
  const all = Promise.withResolvers<void>()
  let waiting = 0
  model.play(async ({ messages }, reply) => {
    if (messages.some(({ content }) => content?.includes('ferry'))) return says(reply, 'The ferry leaves at 07:40 [1].')
    open(reply).write(chunk({ content: 'Ines Okafor sealed ' }))
    waiting += 1
    if (waiting === 64) all.resolve()
    await more.promise
    reply.end(`${chunk({ content: 'the north well on 3 May 1921 [1].' })}${chunk({}, 'stop')}${usage(20, 10)}${END}`)
  })
  const stream = async () => {
    const headers = { ...ada.headers, accept: 'text/event-stream', 'content-type': 'application/json' }
    const reply = await fetch(`${url}/query`, { method: 'POST', headers, body: JSON.stringify({ user_request: question }) })
    return eventsIn(await reply.text()).map(({ event }) => event)
  }
  const streams = Array.from({ length: 64 }, stream)
  await all.promise
  t.match((await bea.ask({ user_request: 'When does the ferry leave?' })).json(), { grounded: true, final_response: /07:40/ })
  t.equal((await bea.send('GET', '/status')).statusCode, 200)
  t.equal(waiting, 64, 'they still wait')
  more.resolve()
  for (const events of await Promise.all(streams)) {
    t.same(
      events.filter(event => ['done', 'error', 'cancelled'].includes(event)),
      ['done'],
    )
    t.equal(events.at(-1), 'done')
    t.ok(events.includes('citation'))
  }
})

t.test('tools that are not offered do not run, and calls without end are ended', async t => {
  model.play((_, reply) => calls(reply, ['shell', '{"command":"id"}']))
  const body = await ask()
  t.match(body, { answerer: 'extractive', grounded: true, fallbacks: [{ answerer: name }] })
  t.same(
    body.steps.map(({ tool }: { tool: string }) => tool),
    ['search_documents'],
  )
})
