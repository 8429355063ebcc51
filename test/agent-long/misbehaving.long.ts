// Whatever a model server does wrong, a question ends once, within its limits, and what is then said is still true.
import t from 'tap'
import { eventsIn } from '../agent/events.ts'
import { house } from '../agent/house.ts'
import { upstream } from '../agent/upstream.ts'
import { misdeeds } from './misdeeds.ts'

const AT_ONCE = 8
const model = await upstream(t)
const settings = {
  DEFAULT_LLM_PROVIDER: 'openai_compatible',
  DEFAULT_LLM_MODEL: 'scripted',
  DEFAULT_LLM_BASE_URL: model.url,
  DEFAULT_LLM_SILENCE_MS: '250',
}
const { person, url, app } = await house(t, { ...settings, DEFAULT_LLM_CALL_MS: '1000' })
const ada = await person('ada')
await ada.store('wells', 'The north well was sealed on 3 May 1921 by Ines Okafor. It had been dry for a summer.')
const question = 'When was the north well sealed?'
const ends = ['done', 'error', 'cancelled']

// Each question names its misdeed, so that all can be asked at once.
const attempts = new Map<string, number>()
const names = Object.keys(misdeeds)
model.play((sent, reply) => {
  const [, at = '', mode = ''] = /case (\d+) (\w+)/.exec(sent.messages.find(({ role }) => role === 'user')?.content ?? '') ?? []
  const attempt = (attempts.get(`${at} ${mode}`) ?? 0) + 1
  attempts.set(`${at} ${mode}`, attempt)
  return misdeeds[names[Number(at)] ?? '']?.(reply, { sent, attempt })
})

async function asked(at: number, mode: string) {
  const reply = await fetch(`${url}/query`, {
    method: 'POST',
    headers: { ...ada.headers, accept: 'text/event-stream', 'content-type': 'application/json' },
    body: JSON.stringify({ user_request: `${question} (case ${at} ${mode})`, mode }),
  })
  return eventsIn(await reply.text())
}

t.ok(names.length >= 40)
for (const mode of ['documents', 'chat']) {
  t.test(`${mode}: every misdeed ends in one end`, async t => {
    const all: Awaited<ReturnType<typeof asked>>[] = []
    for (let from = 0; from < names.length; from += AT_ONCE)
      all.push(...(await Promise.all(names.slice(from, from + AT_ONCE).map((_, at) => asked(from + at, mode)))))
    for (const [at, events] of all.entries()) {
      const name = names[at] ?? ''
      const [last] = events.slice(-1)
      t.equal(events.filter(({ event }) => ends.includes(event)).length, 1, `${name}: one end`)
      t.match(last, { event: 'done', data: { final_response: /./, usage: {} } }, name)
      const { final_response, grounded, citations, usage } = last?.data ?? {}
      const deltas = events.filter(({ event }) => event === 'delta').map(({ data }) => data.text)
      t.equal(deltas.join(''), final_response, `${name}: its deltas are the answer`)
      t.ok(
        usage.input_tokens >= 0 && usage.output_tokens >= 0 && usage.input_tokens < 200_000,
        `${name}: ${JSON.stringify(usage)}`,
      )
      if (mode === 'documents')
        t.ok(grounded && citations.length > 0 && /3 May 1921/.test(final_response), `${name}: ${final_response}`)
      else
        t.ok(!grounded && citations.length === 0 && !/\[\d+\]/.test(final_response), `${name}: ${final_response}`.slice(0, 120))
    }
  })
}

t.test('nothing is asked of a server without end', async t => {
  for (const [name, count] of attempts) t.ok(count <= 8, `${names[Number.parseInt(name, 10)]}: ${count} requests`)
})

t.test('nothing stays reserved', async t => {
  t.match((await ada.send('GET', '/usage')).json(), { reserved: 0 })
  t.equal((await app.inject('/health')).statusCode, 200)
})

t.test('a silence is cut long before the longest call is', async t => {
  const patient = await house(t, { ...settings, DEFAULT_LLM_CALL_MS: '60000' })
  const bea = await patient.person('bea')
  for (const silent of ['says nothing at all', 'sends its head and nothing more', 'stops talking in the middle']) {
    model.play((sent, reply) => misdeeds[silent]?.(reply, { sent, attempt: 1 }))
    const { fallbacks, execution_time } = (await bea.ask({ user_request: question, mode: 'chat' })).json()
    t.match(fallbacks, [{ reason: 'timeout' }], silent)
    t.ok(execution_time < 10, `${silent}: ${execution_time} s`)
  }
})
