import t from 'tap'
import { openFiles } from '../../src/rag/workers/open-files.ts'
import { skip } from './lanes.ts'
import { spread } from './spreading.ts'

t.test('eighty small collections are opened when they are asked, and closed again', { skip }, t => spread(t, 80))

t.test('what takes too much memory together is closed, the least recently used first', async t => {
  const closed: string[] = []
  const files = openFiles(
    (dir: string) => ({ dir, close: () => void closed.push(dir) }),
    ({ dir }) => Number(dir),
    100,
  )
  for (const dir of ['40', '50', '40', '30', '5']) files.of(dir, undefined)
  t.same(closed, ['50'])
  t.equal(files.peek('50'), undefined)
  t.equal(files.of('40', undefined), files.peek('40'))
  files.of('400', undefined)
  files.of('1', undefined)
  t.same(closed, ['50', '30', '5', '40', '400'], 'one that is larger than all may be is still used')
})
