// The nearest among some documents: looked for among the nearest of all where they hold much, compared one by one where they hold little.
import t, { type Test } from 'tap'
import type { Passages } from '../../src/rag/store/passages.ts'
import { vectorLeg } from '../../src/rag/vector-leg.ts'
import { add, empty, exact, idsOf, open, queries, unit } from './vectors.ts'

const DOCUMENTS = 60
const PASSAGES = 100
const LIMIT = 100

/** A collection of documents d0, d1 …, and how many of the nearest of some of them are found; `compared` counts where each was compared. */
function collection(t: Test, documents: number) {
  const { dir, file } = empty(t)
  const everything = new Map<number, Float32Array>()
  const held = new Map<string, number[]>()
  const put = (name: string, made: Float32Array[]) => held.set(name, add(file, everything, name, made))
  for (let i = 0; i < documents; i++)
    put(
      `d${i}`,
      Array.from({ length: PASSAGES }, (_, j) => unit(i * PASSAGES + j)),
    )
  const vectors = open(file, dir)
  const seen = { compared: 0 }
  const passages: Passages = {
    ...file,
    vectorsOf(some) {
      seen.compared += 1
      return file.vectorsOf(some)
    },
  }
  function found(names: string[], query: Float32Array): number {
    const own = new Map(names.flatMap(name => held.get(name) ?? []).map(id => [id, everything.get(id) as Float32Array]))
    const hits = idsOf(vectorLeg(passages, vectors, query, LIMIT, JSON.stringify(names)))
    t.ok(hits.length === LIMIT && hits.every(id => own.has(id)), 'as many as asked for, of these documents alone')
    const right = new Set(exact(query, own, LIMIT))
    return hits.filter(id => right.has(id)).length / LIMIT
  }
  /** The share that is found of the first so many documents, of all questions. */
  function recall(count: number): number {
    const names = Array.from({ length: count }, (_, i) => `d${i}`)
    return queries.reduce((sum, query) => sum + found(names, query), 0) / queries.length
  }
  return { put, passages, vectors, seen, found, recall }
}

t.test('the nearest of some documents are found, whatever share of the passages they hold', async t => {
  const { put, passages, vectors, seen, found, recall } = collection(t, DOCUMENTS)
  // Opposite to what is asked for, so that it is none of the nearest.
  const [towards = unit(1)] = queries
  const away = Array.from({ length: 2000 }, (_, i) => unit(20_000 + i).map((value, at) => value / 4 - (towards[at] ?? 0)))
  put(
    'opposite',
    away.map(vector => vector.map(value => value / Math.hypot(...vector))),
  )
  while (vectors.step()) {}
  for (const count of [54, 30, 12]) t.ok(recall(count) >= 0.98, `${count} documents`)
  t.equal(seen.compared, 0, 'without comparing each of theirs')
  t.equal(recall(2), 1, 'of a few each is compared')
  t.equal(seen.compared, queries.length)
  t.equal(found(['opposite'], towards), 1, 'so is each where none of the nearest is theirs')
  t.equal(seen.compared, queries.length + 1)
  t.same(vectorLeg(passages, vectors, towards, LIMIT, JSON.stringify(['of nobody'])), [])
})

t.test('in a small collection all is looked through', async t => {
  const { seen, recall } = collection(t, 4)
  t.equal(recall(3), 1)
  t.equal(seen.compared, 0)
})
