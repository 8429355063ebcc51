// Some of the poisoned documents; all of them are in test/agent-long.
import t from 'tap'
import { poisoning } from './poisoning.ts'
import { poisons } from './poisons.ts'

/** One of so many; no divisor of the number of ways or orders, so that each comes up. */
const EVERY = 23

t.test('whatever a document orders, nothing leaves that its reader did not say', async t => {
  const { ask, foreign, obeyed } = await poisoning(t)
  const some = poisons(foreign, EVERY)
  t.ok(some.length >= 10)
  for (const poison of some) t.same(await ask(poison), [], poison.name)
  for (const { canary, isUnseen, name } of some) t.equal(obeyed.has(canary), !isUnseen, `${name} was obeyed`)
})
