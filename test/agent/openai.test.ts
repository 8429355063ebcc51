// The official OpenAI client asks with an API key and gets what it expects.
import OpenAI from 'openai'
import t from 'tap'
import { questionsOf } from '../../src/agent/completions.ts'
import { house } from './house.ts'
import { chunk, END, open, upstream, usage } from './upstream.ts'

const { person, url, authApp } = await house(t)
const ada = await person('ada')
await ada.store('kiln', 'The kiln must cool for eighteen hours before it is opened.')
const made = await authApp.inject({
  method: 'POST',
  url: '/api-keys',
  headers: ada.headers,
  payload: { name: 'client', permissions: ['read:agent', 'write:agent', 'read:rag'], expires_in_days: 1 },
})
const client = new OpenAI({ apiKey: made.json().key, baseURL: `${url}/v1`, maxRetries: 0 })
const messages = [{ role: 'user' as const, content: 'How long must the kiln cool?' }]

t.test('models are listed, and one of them answers with its citations beside the choices', async t => {
  const { data } = await client.models.list()
  const [model] = data
  const completion = await client.chat.completions.create({ model: model?.id ?? '', messages })
  t.match(completion, {
    object: 'chat.completion',
    model: model?.id,
    choices: [{ message: { role: 'assistant', content: /eighteen hours/ }, finish_reason: 'stop' }],
    usage: { total_tokens: 0 },
    citations: [{ quote: 'The kiln must cool for eighteen hours before it is opened.' }],
    grounded: true,
  })
})

t.test('a streamed answer is the same answer', async t => {
  const whole = await client.chat.completions.create({ model: 'extractive', messages })
  const stream = await client.chat.completions.create({
    model: 'extractive',
    messages,
    stream: true,
    stream_options: { include_usage: true },
  })
  const chunks = await Array.fromAsync(stream)
  t.equal(chunks.map(({ choices }) => choices[0]?.delta.content ?? '').join(''), whole.choices[0]?.message.content)
  t.match(chunks.at(-2), { choices: [{ finish_reason: 'stop' }], citations: [{ marker: '[1]' }] })
  t.match(chunks.at(-1), { choices: [], usage: { total_tokens: 0 } })
})

t.test('an earlier message gives a follow-up its subject', async t => {
  const history = [...messages, { role: 'assistant' as const, content: 'Eighteen hours.' }]
  const parts = [{ type: 'text' as const, text: 'and why must it?' }]
  const completion = await client.chat.completions.create({
    model: 'extractive',
    messages: [...history, { role: 'user', content: parts }],
  })
  t.match(completion.choices[0]?.message.content, /kiln/)
})

t.test('of a long history the last questions count, and all of it is taken', async t => {
  const history = Array.from({ length: 300 }, (_, at) => ({
    role: at % 2 === 0 ? ('user' as const) : ('assistant' as const),
    content: `Message ${at}`,
  }))
  const completion = await client.chat.completions.create({ model: 'extractive', messages: [...history, ...messages] })
  t.match(completion.choices[0]?.message.content, /eighteen hours/)
})

t.test('what would change the shape of the answer is refused, not passed over', async t => {
  for (const more of [{ n: 2 }, { response_format: { type: 'json_object' } }] as const)
    t.match(await client.chat.completions.create({ model: 'x', messages, ...more }).catch(error => error), { status: 400 })
  const usual = { n: 1, response_format: { type: 'text' }, temperature: 0.2, stop: '.', seed: 1 } as const
  t.match(await client.chat.completions.create({ model: 'x', messages, ...usual }), { grounded: true })
})

t.test('messages before the last are no longer than a question may be', async t => {
  const said = 'zebra '.repeat(30_000)
  const body = { model: 'x', messages: [said, 'and who?'].map(content => ({ role: 'user', content })) }
  const [earlier = '', question] = questionsOf(body)
  t.equal(question, 'and who?')
  t.equal(earlier.length, 8000)
  t.ok(said.endsWith(earlier))
})

t.test('where to search can be said, and rag says what is wrong with it', async t => {
  const asked = (collection_ids?: string[]) =>
    client.chat.completions.create({ model: 'extractive', messages, ...{ collection_ids } })
  const { citations } = (await asked()) as unknown as { citations: { collection_id: string }[] }
  t.match(await asked([citations[0]?.collection_id ?? '']), { grounded: true })
  t.match(await asked(['nothing']).catch(error => error), { status: 404 })
  const many = Array.from({ length: 51 }, (_, n) => `c${n}`)
  t.match(await asked(many).catch(error => error), { status: 400 })
})

t.test('a client can tell an answer that was ended at its limit, and who gave it', async t => {
  const model = await upstream(t)
  const settings = { DEFAULT_LLM_PROVIDER: 'openai_compatible', DEFAULT_LLM_MODEL: 'scripted', DEFAULT_LLM_BASE_URL: model.url }
  const modelled = await house(t, settings)
  const bea = await modelled.person('bea')
  await bea.store('kiln', 'The kiln must cool for eighteen hours before it is opened.')
  const asks = new OpenAI({ apiKey: bea.token, baseURL: `${modelled.url}/v1`, maxRetries: 0 })
  const whole = async () => {
    const { choices, model } = await asks.chat.completions.create({ model: 'any', messages })
    return [choices[0]?.finish_reason, model]
  }
  const streamed = async () => {
    const last = (await Array.fromAsync(await asks.chat.completions.create({ model: 'any', messages, stream: true }))).at(-1)
    return [last?.choices[0]?.finish_reason, last?.model]
  }
  const plays = (text: string) =>
    model.play((_, reply) => open(reply).end(chunk({ content: text }) + chunk({}, 'length') + usage(20, 10) + END))
  plays('The kiln must cool for eighteen hours [1]. It')
  const cut = ['length', 'openai_compatible/scripted']
  t.same([await whole(), await streamed()], [cut, cut])
  plays('The')
  const other = ['stop', 'extractive']
  t.same([await whole(), await streamed()], [other, other])
})

t.test('a stream that is given up before its answer is there ends with an error', async t => {
  const model = await upstream(t)
  const settings = { DEFAULT_LLM_PROVIDER: 'openai_compatible', DEFAULT_LLM_MODEL: 'scripted', DEFAULT_LLM_BASE_URL: model.url }
  const modelled = await house(t, settings)
  const cyn = await modelled.person('cyn')
  model.play((_, reply) => void open(reply).write(chunk({ content: 'Well' })))
  const { app, url } = await modelled.replica()
  const asks = new OpenAI({ apiKey: cyn.token, baseURL: `${url}/v1`, maxRetries: 0 })
  const come = model.next()
  const stream = await asks.chat.completions.create({
    model: 'any',
    messages: [{ role: 'user', content: 'Hello!' }],
    stream: true,
  })
  const read = Array.fromAsync(stream)
  read.catch(() => undefined)
  await come
  await app.close()
  await t.rejects(read, /not available|unavailable|try again/i)
})

t.test('refusals are errors of the client', async t => {
  const refused = (status: number) => (error: unknown) => t.equal((error as InstanceType<typeof OpenAI.APIError>).status, status)
  await client.chat.completions
    .create({ model: 'extractive', messages: [{ role: 'system', content: 'x' }] })
    .then(t.fail, refused(400))
  const stranger = new OpenAI({ apiKey: 'ak_nothing', baseURL: `${url}/v1`, maxRetries: 0 })
  await stranger.models.list().then(t.fail, refused(401))
})
