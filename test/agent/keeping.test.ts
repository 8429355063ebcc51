// What is kept of conversations, below HTTP: how much at most, and how long it is known what of a document they hold.
import { setTimeout as pause } from 'node:timers/promises'
import t from 'tap'
import { openBudget } from '../../src/agent/budget.ts'
import { type Exchange, openConversations } from '../../src/agent/conversations.ts'
import { openErasures } from '../../src/agent/erasures.ts'
import { type Holding, openHoldings } from '../../src/agent/holdings.ts'
import { openRuns } from '../../src/agent/runs.ts'
import { ERASURES_STREAM } from '../../src/contracts/erasures.ts'
import { until } from '../auth/house.ts'
import { privateRedis } from '../support/redis.ts'
import { auth, environment, signedIn } from '../support/services.ts'

const DAY_MS = 86_400_000
const { app } = await auth(t, environment(await privateRedis(t)))
const { redis } = app
const conversations = openConversations(redis)
const holdings = openHoldings(redis)
const runs = openRuns(redis)
const person = async (name: string) => (await signedIn(app, name)).user_info.user_id
const noNote = async () => t.fail('nothing is to be noted again')

const exchange = (text: string, documents: string[] = []): Exchange => ({
  question: 'What is kept?',
  segments: [{ text, from: documents }],
  grounded: false,
  run_id: 'run',
})

t.test(
  'what one user keeps is bounded in bytes: of one conversation the oldest messages go, of all the oldest conversations',
  async t => {
    const user = await person('ada')
    const held = async () => {
      const keys = await redis.keys(`conversation:{${user}}:*:messages`)
      const messages = await Promise.all(keys.map(key => redis.lrange(key, 0, -1)))
      return messages.flat().reduce((sum, one) => sum + Buffer.byteLength(one), 0)
    }
    const long = 'é'.repeat(32 * 1024)
    const first = conversations.next()
    for (let n = 0; n < 40; n++) await conversations.append(user, first, n === 0, exchange(`${n} ${long}`), noNote)
    const { messages } = await conversations.one(user, first)
    t.ok(messages.length < 2 * 17 && messages.length > 2 * 12, `${messages.length} messages of a conversation of 2.6 MB`)
    t.match(messages[0], { role: 'user' }, 'a question and its answer go together')
    t.match(messages.at(-1), { content: /^39 / })

    const others = Array.from({ length: 80 }, () => conversations.next())
    for (const id of others) {
      await conversations.append(user, id, true, exchange(long), noNote)
      await pause(2) // of one millisecond they have no order
    }
    t.ok((await held()) <= 4 * 1024 * 1024, `${await held()} bytes`)
    const { conversations: left } = await conversations.list(user, 100)
    t.same(
      left.map(({ id }) => id),
      others.slice(-left.length).toReversed(),
      'the newest are left',
    )
    t.ok(left.length > 50)

    await conversations.append(user, others.at(-1) ?? '', false, exchange('x'.repeat(5 * 1024 * 1024)), noNote)
    t.equal((await conversations.list(user, 100)).conversations.length, 1, 'the last exchange stays, whatever it takes')
    t.equal((await conversations.one(user, others.at(-1) ?? '')).messages.length, 2)
  },
)

t.test('what is erased from a conversation makes room in it', async t => {
  const user = await person('bea')
  const id = conversations.next()
  for (let n = 0; n < 3; n++) await conversations.append(user, id, n === 0, exchange('x'.repeat(400_000), [`d${n}`]), noNote)
  t.equal((await conversations.one(user, id)).messages.length, 4)
  await conversations.forget(user, 'd1', id)
  await conversations.append(user, id, false, exchange('x'.repeat(400_000)), noNote)
  t.equal((await conversations.one(user, id)).messages.length, 6)
})

t.test('a conversation that goes on for longer than a note is kept is noted again, with all it holds', async t => {
  const user = await person('cyn')
  const id = conversations.next()
  const by: Holding = { kind: 'conversation', userId: user, id }
  const note = () => holdings.noting([{ by, heldMs: 180 * DAY_MS }])
  await note()(['old'])
  await conversations.append(user, id, true, exchange('Old words.', ['old']), noNote)
  await conversations.append(user, id, false, exchange('Nothing.'), noNote)

  // A hundred days later.
  const key = `conversation:{${user}}:${id}`
  await redis.hset(key, 'noted', Date.now() - 100 * DAY_MS)
  await redis.zadd('cited:{old}', Date.now() + 80 * DAY_MS, `conversation ${user} ${id}`)
  await conversations.append(user, id, false, exchange('Nothing again.'), note())
  const kept = Number(await redis.zscore('cited:{old}', `conversation ${user} ${id}`)) - Date.now()
  t.ok(kept > (await redis.pttl(`${key}:messages`)), 'the note outlives the conversation')
  t.ok(Number(await redis.pttl('cited:{old}')) > (await redis.pttl(key)))
  t.equal((await conversations.one(user, id)).messages.length, 6)
  await conversations.append(user, id, false, exchange('And once more.'), noNote)
})

t.test(
  'what a process wrote that died before it looked for the mark of an erasure is taken out when the eraser comes again',
  async t => {
    const user = await person('dot')
    const id = conversations.next()
    const failed = (context: object) => t.fail(JSON.stringify(context))
    const erasures = openErasures({
      redis,
      holdings,
      runs,
      conversations,
      budget: openBudget(redis, { tokensMax: 0 }),
      log: { error: failed },
    })
    erasures.follow()
    t.teardown(() => erasures.close())
    await holdings.noting([{ by: { kind: 'conversation', userId: user, id }, heldMs: DAY_MS }])(['gone'])
    await redis.xadd(ERASURES_STREAM, '*', 'user', '', 'document', 'gone')
    await until(async () => (await redis.zscore('erased_again', 'gone')) !== null)
    await conversations.append(user, id, true, exchange('Words of it.', ['gone']), noNote)
    t.match((await conversations.one(user, id)).messages[1], { content: 'Words of it.' })

    await redis.zadd('erased_again', Date.now() - 1, 'gone')
    await until(async () => (await conversations.one(user, id)).messages[1]?.content !== 'Words of it.')
    await until(async () => (await redis.exists('cited:{gone}', 'erased_again')) === 0)
    t.match((await conversations.one(user, id)).messages[1], { content: /has been erased/ })
  },
)
