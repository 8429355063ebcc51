// A question answered from one's own documents, with proof, or honestly not.
import { setTimeout as pause } from 'node:timers/promises'
import t from 'tap'
import { house } from './house.ts'

const well = 'The north well was sealed on 3 May 1921 by Ines Okafor. It had been dry for a summer.\n'
const question = 'When was the north well sealed?'

const { app, authApp, agentEnv, redis, person, stopRag, startRag } = await house(t)

t.test('an answer rests on citations whose bytes are exactly the quotes', async t => {
  const ada = await person('ada')
  const id = await ada.store('well', `Zwölf Brunnen — a list.\n\n${well}`)
  const reply = await ada.ask({ user_request: question })
  t.equal(reply.statusCode, 200, reply.body)
  const body = reply.json()
  t.match(body, { grounded: true, original_request: question, final_response: /3 May 1921.* \[1\]/, answerer: 'extractive' })
  t.equal(body.final_answer, body.final_response)
  t.match(body.steps, [{ tool: 'search_documents', arguments: { query: question, top_k: 5 }, ok: true }])
  t.ok(body.citations.length > 0)
  for (const { href, start_byte, end_byte, quote, document_id, version, marker } of body.citations) {
    t.equal(document_id, id)
    t.equal(href, `/rag/documents/${id}/text?version=${version}`)
    const part = await ada.text(href, `bytes=${start_byte}-${end_byte - 1}`)
    t.match(part, { statusCode: 206, body: quote })
    t.ok(body.final_response.includes(`${quote} ${marker}`))
  }
  t.equal((await ada.ask({ user_request: question })).json().final_response, body.final_response, 'asked again: the same bytes')

  t.test('and after the document is erased there is none', async t => {
    await ada.erase(id)
    t.match((await ada.ask({ user_request: question })).json(), { grounded: false, citations: [] })
  })
})

t.test("another's documents, and a question of nothing known, give no ground", async t => {
  const [ada, bea] = [await person('eve'), await person('bea')]
  await ada.store('well', well)
  for (const [who, user_request] of [
    [bea, question],
    [ada, 'How do penguins vote in parliament?'],
  ] as const) {
    const { statusCode, body } = await who.ask({ user_request })
    t.equal(statusCode, 200)
    t.match(JSON.parse(body), { grounded: false, citations: [] })
    t.notMatch(body, /Okafor/)
  }
})

t.test('what is not a question of the contract is refused', async t => {
  const ada = await person('cyn')
  for (const payload of [
    {},
    { user_request: '' },
    { user_request: 'x'.repeat(8001) },
    { user_request: 7 },
    { user_request: 'a\0b' },
    { user_request: question, more: 1 },
    { user_request: question, top_k: 0 },
    { user_request: question, mode: 'sql' },
    { user_request: question, tools: ['shell'] },
  ]) {
    t.match(await ada.ask(payload), { statusCode: 400 }, JSON.stringify(payload).slice(0, 80))
  }
  t.match(await ada.ask({ user_request: question, conversation_id: 'f'.repeat(32) }), { statusCode: 404 })
  t.match(await ada.ask({ user_request: 'é'.repeat(8000), disable_databases: true }), { statusCode: 200 })
})

t.test('without rag a question is answered 503, and again when rag is back', async t => {
  const ada = await person('dot')
  await stopRag()
  const reply = await ada.ask({ user_request: question })
  t.match(reply, { statusCode: 503, headers: { 'retry-after': '1' } })
  t.match(reply.json(), { code: 'unavailable' })
  await startRag()
  t.match(await ada.ask({ user_request: question }), { statusCode: 200 })
})

t.test('tools and status are told', async t => {
  const ada = await person('fay')
  t.match((await ada.send('GET', '/tools')).json(), { tools: [{ name: 'search_documents', parameters: { type: 'object' } }] })
  t.match((await ada.send('GET', '/status')).json(), { status: 'running', service: 'agent' })
})

t.test('with Redis away a question is refused, and answered again when it is back', async t => {
  const hal = await person('hal')
  await redis.stop()
  t.match(await hal.ask({ user_request: question }), { statusCode: 503 })
  await redis.start()
  for (const each of [authApp, app]) {
    while ((await each.inject('/ready')).statusCode !== 200) await pause(50)
  }
  while (!(await fetch(`${agentEnv.RAG_SERVICE_URL}/ready`)).ok) await pause(50)
  t.match(await hal.ask({ user_request: question }), { statusCode: 200 })
})
