// A day's budget asked for by two hundred at once, over HTTP and by every door: it holds to the token, and each who is refused is told when
// to ask again.
import t from 'tap'
import { eventsIn } from './events.ts'
import { house } from './house.ts'
import { chunk, END, open, upstream, usage } from './upstream.ts'

const BUDGET = 40_000
const ASKING = 200
const OUTPUT_TOKENS = 10
/** A day has fewer seconds left than this. */
const DAY_S = 86_400

const model = await upstream(t)
const settings = {
  DEFAULT_LLM_PROVIDER: 'openai_compatible',
  DEFAULT_LLM_MODEL: 'scripted',
  DEFAULT_LLM_BASE_URL: model.url,
  LIMIT_TOKENS_PER_DAY: `${BUDGET}`,
}
const { person, url, replica } = await house(t, settings, { LIMIT_CALLER_PER_MIN: '1' })
const [ada, bea] = [await person('ada'), await person('bea')]

/** Says what cannot be true about its use, so that all that was reserved counts as used. */
const greeted = `${chunk({ content: 'A very good morning to you!' })}${chunk({}, 'stop')}${usage(1e15, 1e15)}${END}`
model.play((_, reply) => open(reply).end(greeted))

interface Outcome {
  /** What it says it used. */
  tokens?: number
  /** Seconds after which to ask again. */
  retryAfter?: number
}

const question = 'Good morning'
const asked = { user_request: question, max_output_tokens: OUTPUT_TOKENS }
const completion = { model: 'm', messages: [{ role: 'user', content: question }], max_tokens: OUTPUT_TOKENS }
const total = ({ input_tokens, output_tokens }: { input_tokens: number; output_tokens: number }) => input_tokens + output_tokens

async function post(to: string, headers: Record<string, string>, body: object) {
  const reply = await fetch(to, {
    method: 'POST',
    headers: { ...headers, 'content-type': 'application/json' },
    body: JSON.stringify(body),
  })
  const text = await reply.text()
  if (reply.status === 429) {
    const said = Object.fromEntries(reply.headers)
    t.match(said, { 'ratelimit-limit': `${BUDGET}`, 'ratelimit-remaining': '0', 'ratelimit-reset': said['retry-after'] }, to)
    t.match(JSON.parse(text), { code: 'rate_limited', message: /more than is left of today's budget/ })
    return { retryAfter: Number(said['retry-after']), text }
  }
  t.equal(reply.status, 200, text)
  return { text }
}

/** Every way to ask. */
const doors: ((to: string, headers: Record<string, string>) => Promise<Outcome>)[] = [
  async (to, headers) => {
    const { retryAfter, text } = await post(`${to}/query`, headers, asked)
    return retryAfter === undefined ? { tokens: total(JSON.parse(text).usage) } : { retryAfter }
  },
  async (to, headers) => {
    const { text } = await post(`${to}/query`, { ...headers, accept: 'text/event-stream' }, asked)
    const { event, data } = eventsIn(text).at(-1) ?? {}
    if (event === 'done') return { tokens: total(data.usage) }
    t.match(data, { code: 'rate_limited', message: /today's budget/, usage: { input_tokens: 0, output_tokens: 0 } }, text)
    return { retryAfter: Number(data.retry_after) }
  },
  async (to, headers) => {
    const { retryAfter, text } = await post(`${to}/v1/chat/completions`, headers, completion)
    return retryAfter === undefined ? { tokens: JSON.parse(text).usage.total_tokens } : { retryAfter }
  },
  async (to, headers) => {
    const streamed = { ...completion, stream: true, stream_options: { include_usage: true } }
    const { text } = await post(`${to}/v1/chat/completions`, headers, streamed)
    const last = JSON.parse(text.split('\n\n').at(-3)?.replace('data: ', '') ?? '')
    if (last.usage) return { tokens: last.usage.total_tokens }
    t.match(last.error, { code: 'rate_limited', message: /today's budget/ }, text)
    return { retryAfter: Number(last.error.retry_after) }
  },
]

t.test('two hundred at once, at two replicas, use the budget up and not one token more', async t => {
  const [price = 0, ...others] = await Promise.all(doors.map(async door => (await door(url, bea.headers)).tokens))
  t.same(others, [price, price, price], 'every door costs the same')
  const fitting = Math.floor(BUDGET / price)
  t.ok(fitting > 4 && fitting < ASKING / 2, `${price} tokens each`)

  // No answer is given before all two hundred have come to the model or been refused, and that was looked at.
  const decided = Promise.withResolvers<void>()
  const lookedAt = Promise.withResolvers<void>()
  let undecided = ASKING
  const decide = () => {
    undecided -= 1
    if (undecided === 0) decided.resolve()
  }
  model.play(async (_, reply) => {
    decide()
    await lookedAt.promise
    open(reply).end(greeted)
  })
  const other = await replica()
  const asking = Array.from({ length: ASKING }, async (_, at) => {
    const outcome = await doors[at % doors.length]?.(at % 3 === 0 ? other.url : url, ada.headers)
    if (outcome?.retryAfter !== undefined) decide()
    return outcome
  })
  await decided.promise
  const reserved = (await ada.send('GET', '/usage')).json()
  lookedAt.resolve()
  const outcomes = await Promise.all(asking)

  t.match(reserved, { used: 0, reserved: fitting * price, left: BUDGET - fitting * price })
  const answered = outcomes.flatMap(one => one?.tokens ?? [])
  const refused = outcomes.flatMap(one => one?.retryAfter ?? [])
  t.equal(answered.length + refused.length, ASKING)
  t.same(
    answered,
    Array.from({ length: fitting }, () => price),
  )
  t.ok(
    refused.every(seconds => Number.isInteger(seconds) && seconds > 0 && seconds < 60),
    'soon: it is only reserved',
  )
  const spent = { used: fitting * price, reserved: 0, left: BUDGET - fitting * price }
  t.match((await ada.send('GET', '/usage')).json(), spent)

  t.test('and what is used up is refused until tomorrow, by every door', async t => {
    const { resets_at } = (await ada.send('GET', '/usage')).json()
    const left = (Date.parse(resets_at) - Date.now()) / 1000
    for (const { retryAfter = 0 } of await Promise.all(doors.map(door => door(url, ada.headers)))) {
      t.ok(retryAfter > 0 && retryAfter <= DAY_S && Math.abs(retryAfter - left) < 60, `${retryAfter} s of ${left} s`)
    }
    t.match((await ada.send('GET', '/usage')).json(), spent)
  })
})

t.test('a limit of the search is passed on with when to ask again', async t => {
  const documents = { user_request: 'When was the well sealed?', mode: 'documents' }
  t.match(await bea.ask(documents), { statusCode: 200 })
  const { statusCode, headers } = await bea.ask(documents)
  t.match({ statusCode, headers }, { statusCode: 429, headers: { 'ratelimit-limit': '1', 'ratelimit-remaining': '0' } })
  t.match(headers['retry-after'], /^[1-9]\d?$/)
})
