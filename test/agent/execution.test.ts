// A run from its begin to its end, without anything that answers: what Redis is told, and when.
import { once } from 'node:events'
import { setTimeout as pause, setImmediate as turn } from 'node:timers/promises'
import fastify from 'fastify'
import t from 'tap'
import type { Answer } from '../../src/agent/answer.ts'
import { openBudget } from '../../src/agent/budget.ts'
import { openConversations } from '../../src/agent/conversations.ts'
import { openErasures } from '../../src/agent/erasures.ts'
import { openExecution } from '../../src/agent/execution.ts'
import { openHoldings } from '../../src/agent/holdings.ts'
import { leaving, sendDone } from '../../src/agent/routes/stream.ts'
import { HELD_MS, openRuns } from '../../src/agent/runs.ts'
import { failure } from '../../src/platform/errors.ts'
import { privateRedis } from '../support/redis.ts'
import { auth, environment, signedIn } from '../support/services.ts'

const { app } = await auth(t, environment(await privateRedis(t)))
const { redis } = app
const runs = openRuns(redis)
const conversations = openConversations(redis)
const holdings = openHoldings(redis)
const log = { warn: () => undefined, error: () => undefined }
const erasures = openErasures({ redis, holdings, runs, conversations, budget: openBudget(redis, { tokensMax: 0 }), log })
const person = async (name: string) => (await signedIn(app, name)).user_info.user_id
const never = new AbortController().signal
const nothing = { grounded: false, answerer: 'x', segments: [], steps: [], fallbacks: [] }

function executing(answer: Answer) {
  const execution = openExecution({ runs, conversations, answer, holdings, erasures, log })
  t.teardown(() => execution.close())
  return (userId: string, isFollowed = false) => {
    const ask = {
      question: 'Is anybody there?',
      earlier: [],
      asker: { authorization: '', address: '' },
      mode: 'chat' as const,
      topK: 1,
      tools: [],
      outputTokensMax: 1,
    }
    const conversation = { id: conversations.next(), isNew: true }
    return execution.begin({ userId, ask, conversation, isFollowed, left: never, alive: async () => true })
  }
}

t.test('a run of an account that has gone is not begun, and what was done for it meanwhile is given up', async t => {
  const user = await person('ada')
  await redis.del(`user:{${user}}`)
  const gaveUp = Promise.withResolvers<void>()
  const begin = executing(async (_, { signal }) => {
    await new Promise(resolve => signal.addEventListener('abort', resolve))
    gaveUp.resolve()
    throw signal.reason
  })
  await t.rejects(begin(user, true), { code: 'unauthenticated' })
  await gaveUp.promise
  const { ended } = await begin(user)
  t.match(await ended, { state: 'error', code: 'unauthenticated' })
  const quick = executing(async (_, { tell }) => {
    tell({ event: 'delta', data: { text: 'Yes.' } }, ['of-nobody'])
    return nothing
  })
  await t.rejects((await quick(user)).ended, { code: 'unauthenticated' })
  t.same(
    (await redis.keys(`*{${user}}*`)).filter(key => /^(run|conversation)/.test(key)),
    [],
  )
})

t.test('events are kept in the order they were told, whatever is noted in between, and the exchange with the end', async t => {
  const user = await person('bea')
  const begin = executing(async (_, { tell }) => {
    for (let at = 0; at < 50; at += 1) {
      const documents = at % 3 === 0 ? [`document-${at}`] : []
      tell({ event: 'delta', data: { text: `${at} ` } }, documents)
      if (at % 2 === 0) await turn()
    }
    return {
      grounded: false,
      answerer: 'x',
      segments: [{ text: 'Yes.', from: ['document-0', 'unheld'] }],
      steps: [],
      fallbacks: [],
    }
  })
  const { id, ended } = await begin(user)
  t.match(await ended, { state: 'done' })
  const events = await runs.events(user, id, '-')
  t.same(
    events.map(({ event, data }) => (event === 'delta' ? JSON.parse(data).text : event)),
    ['run', ...Array.from({ length: 50 }, (_, at) => `${at} `), 'done'],
  )
  const { conversation_id } = await runs.one(user, id)
  t.match(await conversations.one(user, conversation_id), { messages: [{ role: 'user' }, { content: 'Yes.', run_id: id }] })
  t.same(
    (await redis.zrange('cited:{document-0}', '0', '-1')).toSorted(),
    [`conversations ${user}`, `run ${user} ${id}`],
    'erasing the document finds both',
  )
  t.equal(await redis.zcard('cited:{unheld}'), 2)
  t.ok((await redis.pttl('cited:{document-0}')) > HELD_MS, 'for as long as the conversation may be kept')
})

t.test('a run that nobody follows is begun, and told, while it takes long', async t => {
  const user = await person('eve')
  const more = Promise.withResolvers<void>()
  const begin = executing(async (_, { tell }) => {
    tell({ event: 'delta', data: { text: 'One.' } }, [])
    await more.promise
    return nothing
  })
  const { id, ended } = await begin(user)
  while ((await runs.events(user, id, '-')).length < 2) await turn()
  t.match(await runs.one(user, id), { state: 'running' })
  more.resolve()
  t.match(await ended, { state: 'done' })
})

t.test('what could not be noted does not stay', async t => {
  const user = await person('fay')
  t.teardown(() => redis.acl('SETUSER', 'default', 'allkeys'))
  for (const isFollowed of [false, true]) {
    const begin = executing(async (_, { tell }) => {
      tell({ event: 'delta', data: { text: 'Quoted.' } }, ['noteless'])
      return { ...nothing, segments: [{ text: 'Quoted.', from: ['noteless'] }] }
    })
    await redis.acl('SETUSER', 'default', 'resetkeys', '~[^c]*', '~conversation*')
    const { id, ended } = await begin(user, isFollowed)
    await t.rejects(ended, /NOPERM/)
    await redis.acl('SETUSER', 'default', 'allkeys')
    t.match(await runs.one(user, id), { ending: { segments: [] } })
    t.notMatch(JSON.stringify(await runs.events(user, id, '-')), /Quoted/)
    const { conversation_id } = await runs.one(user, id)
    t.notMatch(JSON.stringify(await conversations.one(user, conversation_id)), /Quoted/)
  }
})

t.test('what is made of an end while it is being written leaves when it has been, and not when it could not be', async t => {
  const done = { state: 'done', seconds: 0, usage: { input_tokens: 0, output_tokens: 0 }, ...nothing } as const
  const written = Promise.withResolvers<typeof done>()
  const made = Promise.withResolvers<void>()
  const server = fastify()
  t.teardown(() => server.close())
  server.get('/', (_, reply) =>
    sendDone(reply, { decided: Promise.resolve(done), ended: written.promise }, ({ answerer }) => {
      made.resolve()
      return { answerer }
    }),
  )
  server.get('/unwritten', (_, reply) =>
    sendDone(reply, { decided: Promise.resolve(done), ended: Promise.reject(failure('unavailable')) }, () => ({})),
  )
  const sent: string[] = []
  const reply = server.inject('/').then(one => {
    sent.push('reply')
    return one
  })
  await made.promise
  for (let i = 0; i < 20; i += 1) await turn()
  sent.push('written')
  written.resolve(done)
  t.match(await reply, { statusCode: 200, headers: { 'content-type': /json/ }, body: '{"answerer":"x"}' })
  t.same(sent, ['written', 'reply'])
  t.notMatch(await server.inject('/unwritten'), { statusCode: 200 })
})

t.test('news that came between two looks is not waited for', async t => {
  const user = await person('cyn')
  await runs.begin(user, 'one', '', 'Is anybody there?')
  const bell = runs.listen('one')
  await runs.tell(user, 'one', [{ event: 'delta', data: { text: 'Yes.' }, documents: [] }])
  await bell.wait(2 ** 30, never)
  const waiting = bell.wait(2 ** 30, never)
  await runs.end(user, 'one', { state: 'cancelled', usage: { input_tokens: 0, output_tokens: 0 } })
  await waiting
  bell.close()
  t.match(await runs.one(user, 'one'), { state: 'cancelled' })
})

t.test('who holds something of a document is noted once a user, however often she asks, and all of it goes with it', async t => {
  const user = await person('dot')
  const citing = executing(async (_, { tell }) => {
    tell({ event: 'delta', data: { text: 'Yes.' } }, ['much-asked'])
    return { ...nothing, segments: [{ text: 'Yes.', from: ['much-asked'] }] }
  })
  for (let i = 0; i < 3; i += 1) await (await citing(user)).ended
  const notes = (await redis.zrange('cited:{much-asked}', '0', '-1')).filter(one => one.startsWith('conversation'))
  t.same(notes, [`conversations ${user}`])

  await erasures.release(['much-asked'], await holdings.take('much-asked'))
  const { conversations: kept } = await conversations.list(user, 10)
  t.equal(kept.length, 3)
  for (const { id } of kept)
    t.notMatch(JSON.stringify((await conversations.one(user, id)).messages), /Yes/, 'of no conversation anything is left')
})

t.test('a run that begins while the thread is held up is not taken for one that was asked to stop', async t => {
  const user = await person('held')
  const begin = executing(async () => {
    await pause(700)
    return nothing
  })
  const first = await begin(user)
  await pause(450) // so that the look at the first, which comes before all else, is soon
  const second = await begin(user)
  for (const late = performance.now() + 600; performance.now() < late; ) {}
  t.match(await second.ended, { state: 'done' })
  t.match(await first.ended, { state: 'done' })
})

t.test('a client that has left before anybody listened is noticed', async t => {
  const service = fastify()
  t.teardown(() => service.close())
  const seen = Promise.withResolvers<boolean>()
  service.get('/', async (request, reply) => {
    const gone = once(reply.raw, 'close')
    request.raw.socket.destroy()
    await gone
    seen.resolve(leaving(reply).aborted)
  })
  await fetch(await service.listen({ host: '127.0.0.1', port: 0 })).catch(() => undefined)
  t.equal(await seen.promise, true)
})

t.test('of one user so many runs are kept, the newest, and those that go on', async t => {
  const user = await person('many')
  const id = (n: number) => String(n).padStart(32, '0')
  await runs.begin(user, id(0), '', 'goes on')
  for (let n = 1; n <= 205; n++) {
    await runs.begin(user, id(n), '', 'q')
    await runs.end(user, id(n), { state: 'cancelled', usage: { input_tokens: 0, output_tokens: 0 } })
  }
  t.match(await runs.one(user, id(0)), { state: 'running' })
  await t.rejects(runs.one(user, id(1)), { code: 'not_found' })
  t.match(await runs.one(user, id(205)), { state: 'cancelled' })
  t.ok((await redis.zcard(`runs:{${user}}`)) <= 201)
  t.ok((await redis.keys(`run:{${user}}:*`)).length <= 402)
})
