// The official OpenAI client asks with an API key and gets what it expects.
import OpenAI from 'openai'
import t from 'tap'
import { house } from './house.ts'

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

t.test('refusals are errors of the client', async t => {
  const refused = (status: number) => (error: unknown) => t.equal((error as InstanceType<typeof OpenAI.APIError>).status, status)
  await client.chat.completions
    .create({ model: 'extractive', messages: [{ role: 'system', content: 'x' }] })
    .then(t.fail, refused(400))
  const stranger = new OpenAI({ apiKey: 'ak_nothing', baseURL: `${url}/v1`, maxRetries: 0 })
  await stranger.models.list().then(t.fail, refused(401))
})
