// Twin of src/rag/turns.ts.
import t from 'tap'
import { openTurns } from '../../src/rag/turns.ts'

const never = new AbortController().signal

t.test('somebody with one waiting is served after one turn of somebody with a hundred', async t => {
  const turns = openTurns(1)
  const order: string[] = []
  const ask = (user: string) => turns(user, never, async () => void order.push(user))
  await Promise.all([...Array.from({ length: 100 }, () => ask('many')), ask('one')])
  t.equal(order.indexOf('one'), 2, 'behind the turn under way and one more at most')
  t.equal(order.length, 101)
})

t.test('no more run together than allowed, and a turn that throws is over', async t => {
  const turns = openTurns(2)
  let running = 0
  let most = 0
  const ask = (fail: boolean) =>
    turns('u', never, async () => {
      most = Math.max(most, ++running)
      await new Promise(setImmediate)
      running--
      if (fail) throw new Error('bad')
    })
  const outcomes = await Promise.allSettled(Array.from({ length: 9 }, (_, i) => ask(i % 2 === 0)))
  t.equal(most, 2)
  t.equal(outcomes.filter(({ status }) => status === 'rejected').length, 5)
})

t.test('who leaves while waiting takes no turn and holds nobody up', async t => {
  const turns = openTurns(1)
  const leaving = new AbortController()
  let release = () => {}
  const first = turns('a', never, () => new Promise<void>(resolve => (release = resolve)))
  const left = turns('b', leaving.signal, async () => t.fail('ran after leaving'))
  const last = turns('b', never, async () => 'served')
  leaving.abort(new Error('left'))
  await t.rejects(left, { message: 'left' })
  release()
  await first
  t.equal(await last, 'served')
})

t.test('who leaves between the beginning of the turn and that of the work does not work, and gives the turn on', async t => {
  const leaving = new AbortController()
  const turns = openTurns(1, async () => leaving.abort(new Error('left')))
  const left = turns('a', leaving.signal, async () => t.fail('ran after leaving'))
  await t.rejects(left, { message: 'left' })
  t.equal(await turns('b', never, async () => 'served'), 'served')
})
