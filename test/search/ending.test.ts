import { existsSync, mkdirSync, rmSync } from 'node:fs'
import { join } from 'node:path'
import t from 'tap'
import { openFiles } from '../../src/rag/workers/open-files.ts'
import { folder as newFolder } from '../support/folder.ts'
import { chunkOf, direction, folder, lanesFor, skip } from './lanes.ts'

const PASSAGES = 300

t.test('a collection that is closed for good is opened by nobody, and its vectors are written nowhere', { skip }, async t => {
  const lanes = await lanesFor(t, { exactMax: 20 })
  const [{ dir }, { dir: other }] = [folder(t), folder(t, 'other')]
  const texts = Array.from({ length: PASSAGES }, (_, i) => `Barrel ${i} holds oil`)
  const vectors = Float32Array.from(texts.flatMap((_, i) => direction(i)))
  for (const one of [dir, other]) {
    await lanes.write.append(one, 'a', 'v', texts.map(chunkOf), vectors)
    await lanes.write.publish(one, 'a', 'v')
  }
  const asked = { question: 'barrel', vector: Float32Array.from(direction(0)), limit: 5, min_score: 0 }
  const byVector = (dir: string) => lanes.find({ dir, ...asked, weight: 1 })
  const byWords = (dir: string) => lanes.find({ dir, ...asked, vector: undefined, weight: 0 })
  t.equal((await byWords(dir)).length, 5)
  t.ok((await byVector(dir)).length > 0, 'from here on its graph is made')

  await lanes.write.close(dir)
  t.same(await byVector(dir), [])
  t.same(await byWords(dir), [])
  t.equal(await lanes.near({ dir, ...asked }), undefined)
  t.equal(await lanes.words({ dir, ...asked }), undefined)
  t.same(await lanes.index(dir), { passages: 0, position: 0, models: [], memory: {} })
  t.equal(await lanes.cover(dir), undefined)
  await lanes.write.settle(dir)
  await t.rejects(lanes.write.append(dir, 'b', 'v', texts.map(chunkOf), vectors), { code: 'not_found' })
  await t.rejects(lanes.write.publish(dir, 'b', 'v'), { code: 'not_found' })

  rmSync(dir, { recursive: true })
  // Graphs are made one after the other: when that of the other one is written, nobody is at work on the first.
  t.ok((await byVector(other)).length > 0)
  while (!existsSync(join(other, 'vectors.json'))) await lanes.index(other)
  t.notOk(existsSync(dir))
  t.same(await byVector(dir), [])
})

t.test('what was closed for good is remembered until its folder is gone', async t => {
  const home = newFolder(t)
  const [a, b] = [join(home, 'a'), join(home, 'b')]
  mkdirSync(a)
  const files = openFiles((dir: string) => ({ dir, close: () => {} }))
  files.end(a)
  files.end(b)
  t.same([files.of(a, undefined), files.of(b, undefined)], [undefined, undefined])
  rmSync(a, { recursive: true })
  files.end(b)
  t.match(files.of(a, undefined), { dir: a })
})
