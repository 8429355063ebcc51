import { existsSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import hnswlib from 'hnswlib-node'
import t from 'tap'
import { free, type Vectors } from '../../src/rag/vectors.ts'
import { holders } from './lanes.ts'
import {
  add,
  COUNT,
  DOCUMENTS,
  empty,
  exact,
  filled,
  idsOf,
  open,
  PASSAGES,
  queries,
  recall,
  removeFrom,
  unit,
} from './vectors.ts'

t.test('the graph finds what comparing every vector finds, and follows additions and removals', async t => {
  const { file, vectors, all } = filled(t)
  for (const query of queries) t.same(idsOf(vectors.search(query, 10)), exact(query, all, 10))
  t.ok(vectors.behind())
  while (vectors.step()) {}
  t.notOk(vectors.behind())
  t.match(vectors.size(), { graph: COUNT, rows: 0 })
  t.ok(recall(vectors, all) > 0.97)

  const [gone = 0] = add(file, all, 'one', [unit(77_777)])
  t.match(vectors.search(unit(77_777), 1), [{ id: gone }], 'added')
  while (vectors.step()) {}
  file.remove('one')
  all.delete(gone)
  t.notOk(idsOf(vectors.search(unit(77_777), 10)).includes(gone), 'removed')
  t.ok(recall(vectors, all) > 0.97)
})

t.test('among thousands that lie about equally far the nearest are found', async t => {
  const wide = 128
  const { dir, file } = empty(t)
  const all = new Map<number, Float32Array>()
  for (let i = 0; i < 8; i++)
    add(
      file,
      all,
      `d${i}`,
      Array.from({ length: 500 }, (_, j) => unit(500 * i + j, wide)),
    )
  const vectors = open(file, dir, wide)
  while (vectors.step()) {}
  const found = recall(
    vectors,
    all,
    queries.map((_, i) => unit(9000 + i, wide)),
  )
  t.ok(found >= 0.98, `recall@10 ${found}`)
})

t.test('when a fifth of the graph is gone it is made anew, without what was removed', async t => {
  const { file, vectors, all } = filled(t)
  while (vectors.step()) {}
  for (let i = 0; i < DOCUMENTS / 3; i++) removeFrom(all, file, `d${i}`)
  for (const query of queries) t.same(idsOf(vectors.search(query, 10)), exact(query, all, 10))
  t.match(vectors.size(), { graph: 0, rows: all.size })
  while (vectors.step()) {}
  t.match(vectors.size(), { graph: all.size, rows: 0 })
})

t.test('what came and went between two looks, or was removed before, is nothing to an index', async t => {
  const { dir, file, vectors, all } = filled(t)
  while (vectors.step()) {}
  const comeAndGo = (document: string) => {
    add(file, all, document, [unit(77_777)])
    removeFrom(all, file, document)
  }
  const right = (index: Vectors, what: string) => {
    t.notOk(
      idsOf(index.search(unit(77_777), 10)).some(id => !all.has(id)),
      what,
    )
    t.ok(recall(index, all) > 0.97, what)
    t.equal(index.step(), false, what)
  }
  // The cache is kept as it was, as if this were done while nobody had it open.
  const cache = ['vectors.hnsw', 'vectors.json'].map(name => [join(dir, name), readFileSync(join(dir, name))] as const)
  comeAndGo('one')
  removeFrom(all, file, 'd0')
  right(vectors, 'it and others')
  comeAndGo('one')
  right(vectors, 'again')
  for (const [path, bytes] of cache) writeFileSync(path, bytes)
  const reopened = open(file, dir)
  right(reopened, 'after a saved graph that is older')
  t.match(reopened.size(), { graph: COUNT, rows: 0 }, 'which is used')
  // A look that fails half-way is done once more.
  const { vectorsAfter } = file
  removeFrom(all, file, 'd1')
  const ill = {
    ...file,
    ill: true,
    vectorsAfter: (...asked: Parameters<typeof vectorsAfter>) => (ill.ill ? broken() : vectorsAfter(...asked)),
  }
  const half = open(ill, dir)
  for (const [path, bytes] of cache) writeFileSync(path, bytes)
  t.throws(() => half.search(unit(1), 1), { message: 'broken' })
  ill.ill = false
  right(half, 'after a look that failed')
})

t.test('an index further behind than removals are remembered starts anew', async t => {
  const { file, vectors, all } = filled(t, 100)
  vectors.search(unit(1), 1)
  const { position } = file.state()
  for (let i = 0; i < 5; i++) removeFrom(all, file, `d${i}`)
  t.equal(file.removedSince(position), undefined)
  t.equal(file.removedSince(file.state().position - 1)?.length, PASSAGES)
  for (const query of queries) t.same(idsOf(vectors.search(query, 10)), exact(query, all, 10))
  t.match(vectors.size(), { rows: all.size })
})

t.test('removals are remembered as far as they should be, whatever is added meanwhile', t => {
  const { file, all } = filled(t, PASSAGES)
  removeFrom(all, file, 'd0')
  const { position } = file.state()
  add(file, all, 'more', [unit(7001)])
  t.equal(file.removedSince(position - 1)?.length, PASSAGES)
  removeFrom(all, file, 'd1')
  t.equal(file.removedSince(position - 1), undefined)
  t.equal(file.removedSince(position)?.length, PASSAGES)
  t.end()
})

t.test('of a version that is given up what is not shown goes, and nothing else', t => {
  const { file } = empty(t)
  const passage = { start_byte: 0, end_byte: 1, content: 'x' }
  const append = (document: string, version: string) => file.append(document, version, [passage], unit(1))
  append('a', 'shown')
  file.publish('a', 'shown')
  for (const [document, version] of [
    ['a', 'shown'],
    ['a', 'next'],
    ['b', 'next'],
  ] as const)
    append(document, version)
  for (const version of ['shown', 'next']) file.discard('a', version)
  t.equal(file.appended('a', 'shown'), 1)
  t.equal(file.appended('a', 'next'), 0)
  t.equal(file.appended('b', 'next'), 1)
  t.equal(file.state().published, 1)
  t.end()
})

t.test('a saved graph is loaded and what came after it is read from the file', async t => {
  const { dir, file, vectors, all } = filled(t)
  while (vectors.step()) {}
  const [added] = add(file, all, 'late', [unit(77_777)])
  const reopened = open(file, dir)
  t.match(reopened.search(unit(77_777), 1), [{ id: added }])
  t.match(reopened.size(), { graph: COUNT, rows: 1 })
  t.ok(recall(reopened, all) > 0.97)
})

t.test('a graph that is let go of gives its memory back at once', async t => {
  // A graph of few links, quickly made.
  const graph = new hnswlib.HierarchicalNSW('ip', 384)
  graph.initIndex(30_000, 2, 2)
  const point = Array<number>(384).fill(0)
  for (let i = 0; i < 30_000; i++) {
    point[i % 384] = i
    graph.addPoint(point, i)
  }
  const before = process.memoryUsage.rss()
  free(graph)
  t.ok(before - process.memoryUsage.rss() > 30_000 * 384 * 4 * 0.8)
  const { vectors, all } = filled(t)
  while (vectors.step()) {}
  vectors.close()
  t.match(vectors.size(), { graph: 0, rows: 0, bytes: 0 })
  t.ok(recall(vectors, all) > 0.97, 'and is made again when it is asked')
})

t.test('a graph that is damaged, without its header, ahead of its file or of another model is not used', async t => {
  const { dir, file, vectors, all } = filled(t)
  while (vectors.step()) {}
  const [body, header] = [join(dir, 'vectors.hnsw'), join(dir, 'vectors.json')]
  const [whole, told] = [readFileSync(body), readFileSync(header, 'utf8')]
  const damages: [string, () => void][] = [
    ['a sector of zeros', () => writeFileSync(body, zeroed(whole))],
    ['cut short', () => writeFileSync(body, whole.subarray(0, whole.length >> 1))],
    ['no body', () => rmSync(body)],
    ['no header', () => rmSync(header)],
    ['ahead of its file', () => writeFileSync(header, told.replace(/"position":\d+/, '"position":9999'))],
    ['another model', () => writeFileSync(header, told.replace('"model":"m"', '"model":"n"'))],
  ]
  for (const [kind, damage] of damages) {
    writeFileSync(body, whole)
    writeFileSync(header, told)
    damage()
    const anew = open(file, dir)
    t.same(idsOf(anew.search(unit(3), 10)), exact(unit(3), all, 10), kind)
    t.match(anew.size(), { graph: 0, rows: COUNT }, kind)
  }
})

t.test('the vector of a removed passage is in no file, and no half-written graph survives', async t => {
  const { dir, file, vectors, all } = filled(t)
  add(file, all, 'secret', [unit(77_777)])
  while (vectors.step()) {}
  writeFileSync(join(dir, 'vectors.hnsw.new'), bytesOf(unit(77_777)))
  const holding = () => holders(dir, bytesOf(unit(77_777)))
  t.ok(holding().includes('vectors.hnsw'))
  removeFrom(all, file, 'secret')
  t.same(holding(), [])
  add(
    file,
    all,
    'many',
    queries.flatMap((_, i) => [unit(50_000 + i), unit(60_000 + i)]),
  )
  while (vectors.step()) {}
  t.notOk(existsSync(join(dir, 'vectors.hnsw')), 'a graph that still holds it is not saved')
})

function broken(): never {
  throw new Error('broken')
}

const bytesOf = (vector: Float32Array) => Buffer.from(vector.buffer)
const zeroed = (whole: Buffer) => Buffer.from(whole).fill(0, 4096, 4608)
