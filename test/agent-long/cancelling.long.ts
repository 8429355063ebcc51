// Work that nobody waits for any more ends: the call of the model is cut, and what it had cost is counted.
import { setTimeout as pause } from 'node:timers/promises'
import t from 'tap'
import { eventsIn } from '../agent/events.ts'
import { house } from '../agent/house.ts'
import { chunk, open, says, upstream } from '../agent/upstream.ts'

const model = await upstream(t)
const { person, url, app, authApp, redis } = await house(t, {
  DEFAULT_LLM_PROVIDER: 'openai_compatible',
  DEFAULT_LLM_MODEL: 'slow',
  DEFAULT_LLM_BASE_URL: model.url,
})

const stream = (headers: Record<string, string>, signal?: AbortSignal) =>
  fetch(`${url}/query`, {
    method: 'POST',
    headers: { ...headers, accept: 'text/event-stream', 'content-type': 'application/json' },
    body: JSON.stringify({ user_request: 'Tell me a story', mode: 'chat' }),
    ...(signal && { signal }),
  })

async function newestRun(userId: string) {
  const [id = ''] = await app.redis.zrange(`runs:{${userId}}`, '0', '0', 'REV')
  return id
}

for (const [how, name] of [
  ['is cancelled', 'ada'],
  ['has no reader', 'bea'],
] as const) {
  t.test(`a run that ${how} cuts the call of its model, and what was said is counted`, async t => {
    const who = await person(name)
    const leave = new AbortController()
    model.play((_, reply) => open(reply).write(chunk({ content: 'Once upon a time. There' })))
    const arrived = model.next()
    const reply = await stream(who.headers, leave.signal)
    t.equal(reply.status, 200)
    const { closed } = await arrived
    const id = await newestRun(who.user_id)
    if (how === 'is cancelled') {
      t.match(await who.send('DELETE', `/runs/${id}`), { statusCode: 204 })
      await closed
      const events = eventsIn(await reply.text())
      t.match(events.at(-1), { event: 'cancelled', data: { run_id: id } })
    } else {
      leave.abort()
      await closed
      await reply.text().catch(() => undefined)
    }
    for (;;) {
      const { state, usage } = (await who.send('GET', `/runs/${id}`)).json()
      if (state === 'running') await pause(20)
      else {
        t.equal(state, 'cancelled')
        t.ok(usage.input_tokens > 0)
        const spent = (await who.send('GET', '/usage')).json()
        t.match(spent, { reserved: 0, used: usage.input_tokens + usage.output_tokens })
        return
      }
    }
  })
}

t.test('with Redis gone in the middle a run ends as unavailable, and the next one is answered when it is back', async t => {
  const cyn = await person('cyn')
  const gone = Promise.withResolvers<void>()
  model.play(async (_, reply) => {
    await gone.promise
    says(reply, 'Once upon a time.')
  })
  const arrived = model.next()
  const asked = cyn.ask({ user_request: 'Tell me a story', mode: 'chat' })
  await arrived
  await redis.stop()
  gone.resolve()
  t.match(await asked, { statusCode: 503 })
  await redis.start()
  for (const each of [authApp, app]) {
    while ((await each.inject('/ready')).statusCode !== 200) await pause(50)
  }
  t.match((await cyn.ask({ user_request: 'Tell me a story', mode: 'chat' })).json(), { final_response: 'Once upon a time.' })
})
