import { mkdirSync } from 'node:fs'
import { join } from 'node:path'
import t from 'tap'
import { openFiles } from '../../src/rag/workers/open-files.ts'
import { chunkOf, direction, folder, lanesFor, skip } from './lanes.ts'
import { spread } from './spreading.ts'

t.test('eighty small collections are opened when they are asked, and closed again', { skip }, t => spread(t, 80))

/** Files that take as many bytes as they are called, and those that were closed, in order. */
function named(bytesMax: number) {
  const closed: string[] = []
  const files = openFiles(
    (dir: string) => ({ dir, close: () => void closed.push(dir) }),
    ({ dir }) => Number(dir),
    bytesMax,
  )
  return { closed, files, ask: (...dirs: string[]) => dirs.map(dir => files.of(dir, undefined)) }
}

t.test('what takes too much memory beside the largest is closed, the least recently used first', async t => {
  const { closed, files, ask } = named(100)
  ask('60', '50', '40', '30', '5')
  t.same(closed, ['50'])
  t.equal(files.peek('50'), undefined)
  t.equal(files.of('40', undefined), files.peek('40'))
  ask('61')
  t.same(closed, ['50', '60'], 'the largest, until there is a larger one')
})

t.test('a large one is not closed for small ones, even if it is larger than all may be', async t => {
  const { closed, ask } = named(100)
  for (let i = 0; i < 3; i++) ask('400', '1', '60', '30')
  t.same(closed, [])
  ask('300')
  t.same(closed, ['1', '60', '30'], 'another one takes the place of all the small ones')
  ask('400')
  t.same(closed, ['1', '60', '30', '300'])
})

t.test('one whose graph is being made is not closed for others, however many or large', async t => {
  const { closed, files, ask } = named(100)
  ask('80')
  files.hold('80')
  ask('500', '90', '0.1', ...Array.from({ length: 70 }, (_, i) => `0.00${i}`))
  t.ok(files.peek('80'))
  t.notOk(closed.includes('500'))
  files.hold(undefined)
  ask('90')
  t.notOk(files.peek('80'))
})

t.test('while a graph is made, more collections are searched than stay open, and it is not begun anew', { skip }, async t => {
  const lanes = await lanesFor(t, { exactMax: 20 })
  const home = folder(t).dir
  const [large = '', ...small] = Array.from({ length: 71 }, (_, i) => join(home, `c${i}`))
  for (const dir of [large, ...small]) {
    mkdirSync(dir)
    const texts = Array.from({ length: dir === large ? 1000 : 1 }, (_, i) => `Barrel ${i}`)
    await lanes.write.append(dir, 'a', 'v', texts.map(chunkOf), Float32Array.from(texts.flatMap((_, i) => direction(i))))
    await lanes.write.publish(dir, 'a', 'v')
  }
  const vector = Float32Array.from(direction(0))
  await lanes.find({ dir: large, question: '', vector, weight: 1, limit: 5, min_score: 0 })
  await lanes.index(large)
  const others = small.map(dir => lanes.near({ dir, vector, limit: 5 }))
  const { memory } = await lanes.index(large) // as it stands right after them
  await Promise.all(others)
  t.ok(Object.values(memory)[0]?.graph)
})
