// Twin of src/rag/courtesy.ts.
import t from 'tap'
import { openCourtesy, patience } from '../../src/rag/courtesy.ts'
import { openTurns } from '../../src/rag/turns.ts'

const NEVER_MS = 600_000

t.test('a turn waits until the last question has its answer, well or badly', async t => {
  const courtesy = openCourtesy(NEVER_MS)
  const turns = openTurns(1, courtesy.giveWay)
  const asked = [Promise.withResolvers<void>(), Promise.withResolvers<void>()]
  const answers = asked.map(({ promise }) => courtesy.question(() => promise))
  const order: string[] = []
  const turn = turns('ann', new AbortController().signal, async () => void order.push('turn'))
  for (const [i, { resolve, reject }] of asked.entries()) {
    await new Promise(setImmediate)
    order.push(`answer ${i}`)
    if (i === 0) resolve()
    else reject(new Error('no answer'))
  }
  await Promise.allSettled(answers)
  await turn
  t.same(order, ['answer 0', 'answer 1', 'turn'])
  await turns('ann', new AbortController().signal, async () => void order.push('next'))
  t.equal(order.at(-1), 'next', 'nobody waits when nothing is asked')
})

t.test('a turn waits until the answer has left', async t => {
  const courtesy = openCourtesy(NEVER_MS, 1)
  const order: string[] = []
  await courtesy.question(async () => {})
  const waited = courtesy.giveWay().then(() => void order.push('turn'))
  // No timer fires meanwhile, but all that is ready to go on does.
  for (let i = 0; i < 10; i++) await Promise.resolve()
  order.push('answer sent')
  await waited
  t.same(order, ['answer sent', 'turn'])
})

t.test('a question without an end holds documents up for a moment only', async t => {
  const courtesy = openCourtesy(10)
  void courtesy.question(() => new Promise(() => {}))
  await courtesy.giveWay()
  t.pass('it went on')
})

t.test('threads can see whether a question is under way, and wait for a moment only', async t => {
  const { asking, question } = openCourtesy(NEVER_MS, 1)
  t.equal(asking[0], 0)
  const asked = Promise.withResolvers<void>()
  const answer = question(() => asked.promise)
  t.equal(asking[0], 1)
  patience(asking, 10)()
  asked.resolve()
  await answer
  t.equal(asking[0], 1, 'the answer has not left')
  while (asking[0] !== 0) await new Promise(setImmediate)
  patience(asking, NEVER_MS)()
  t.pass('nobody waits when nothing is asked')
})
