// The nearest among some documents: looked for among the nearest of all where they hold much, compared one by one where they hold little.
import t from 'tap'
import type { Passages } from '../../src/rag/store/passages.ts'
import { vectorLeg } from '../../src/rag/vector-leg.ts'
import { add, empty, exact, idsOf, open, queries, unit } from './vectors.ts'

const DOCUMENTS = 60
const PASSAGES = 100
const LIMIT = 100

t.test('the nearest of some documents are found, whatever share of the passages they hold', async t => {
  const { dir, file } = empty(t)
  const everything = new Map<number, Float32Array>()
  const held = new Map<string, number[]>()
  for (let i = 0; i < DOCUMENTS; i++) {
    const made = Array.from({ length: PASSAGES }, (_, j) => unit(i * PASSAGES + j))
    held.set(`d${i}`, add(file, everything, `d${i}`, made))
  }
  // Opposite to what is asked for, so that it is none of the nearest.
  const [towards = unit(1)] = queries
  const away = Array.from({ length: 2100 }, (_, i) => unit(20_000 + i).map((value, at) => value / 4 - (towards[at] ?? 0)))
  const opposite = away.map(vector => vector.map(value => value / Math.hypot(...vector)))
  held.set('opposite', add(file, everything, 'opposite', opposite))

  const vectors = open(file, dir)
  while (vectors.step()) {}
  let compared = 0
  const passages: Passages = {
    ...file,
    vectorsOf(documents) {
      compared += 1
      return file.vectorsOf(documents)
    },
  }
  const among = (names: string[], query: Float32Array) => {
    const own = new Map(names.flatMap(name => held.get(name) ?? []).map(id => [id, everything.get(id) as Float32Array]))
    const found = idsOf(vectorLeg(passages, vectors, query, LIMIT, JSON.stringify(names)))
    t.ok(found.length === LIMIT && found.every(id => own.has(id)), 'as many as asked for, of these documents alone')
    const right = new Set(exact(query, own, LIMIT))
    return found.filter(id => right.has(id)).length / LIMIT
  }
  const names = [...held.keys()]
  const mean = (share: number) => {
    const some = names.slice(0, share * DOCUMENTS)
    return queries.reduce((sum, query) => sum + among(some, query), 0) / queries.length
  }
  for (const share of [0.9, 0.5]) t.ok(mean(share) >= 0.98, `${share} of all`)
  t.equal(compared, 0, 'without comparing each of theirs')
  t.equal(mean(0.1), 1, 'of a few each is compared')
  t.equal(compared, queries.length)
  t.equal(among(['opposite'], towards), 1, 'so is each where none of the nearest is theirs')
  t.equal(compared, queries.length + 1)
  t.same(vectorLeg(passages, vectors, towards, LIMIT, JSON.stringify(['of nobody'])), [])
})
