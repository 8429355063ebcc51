// Evaluations of many users (evaluations.ts): each has a share of those that wait, and they run in turns.
import t from 'tap'
import { failure } from '../../src/platform/errors.ts'
import { openCollections } from '../../src/rag/collections.ts'
import { openEvaluations } from '../../src/rag/evaluations.ts'
import { openCatalogue } from '../../src/rag/store/catalogue.ts'
import { folder } from '../support/folder.ts'

t.test('whoever has many waiting is told to wait herself, and holds up nobody', async t => {
  const catalogue = openCatalogue(folder(t))
  const release = Promise.withResolvers<void>()
  const asked: string[] = []
  const evaluations = openEvaluations({
    catalogue,
    collections: openCollections(catalogue),
    async passages(user) {
      asked.push(user)
      await release.promise
      return []
    },
    log: { error: (context, message) => t.fail(message, context) },
  })
  t.teardown(async () => {
    await evaluations.close()
    catalogue.close()
  })
  const configurations = [{ name: 'words', mode: 'lexical' as const }]
  const start = (user: string, query: string) =>
    evaluations.start(user, { queries: [{ query, relevant: ['d'] }], configurations }).id
  for (const query of ['1', '2', '3', '4', '5']) start('bob', query)
  t.throws(() => start('bob', '6'), { code: 'rate_limited', message: /^5 evaluations of yours are waiting; ask for more when/ })
  for (let n = 0; n < 4; n++) for (const user of ['ann', 'cat', 'dan', 'eve']) start(user, String(n))
  start('eve', '4')
  release.resolve()
  // Those of one millisecond have no order, so it is not known whose is the last.
  while (catalogue.evaluations.waiting() > 0) await new Promise(setImmediate)
  t.same(asked.slice(0, 6), ['bob', 'cat', 'dan', 'eve', 'ann', 'bob'])
  t.equal(asked.length, 22)
  start('bob', '6')
})

t.test('an evaluation that meets a crowd waits, and goes on when there is room', async t => {
  const catalogue = openCatalogue(folder(t))
  let asked = 0
  const told: string[] = []
  const evaluations = openEvaluations({
    catalogue,
    collections: openCollections(catalogue),
    async passages() {
      if (++asked === 1) throw failure('unavailable')
      return []
    },
    log: { error: (_context, message) => void told.push(message) },
    againMs: 10,
  })
  t.teardown(async () => {
    await evaluations.close()
    catalogue.close()
  })
  const configurations = [{ name: 'words', mode: 'lexical' as const }]
  const { id } = evaluations.start('ann', { queries: [{ query: 'q', relevant: ['d'] }], configurations })
  while (catalogue.evaluations.waiting() > 0) await new Promise(resolve => setTimeout(resolve, 5))
  t.match(evaluations.one('ann', id), { state: 'ready', done: 1 })
  t.equal(told.length, 1)
})
