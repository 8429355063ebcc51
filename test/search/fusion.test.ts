import t from 'tap'
import { distinct, fuse } from '../../src/rag/fusion.ts'
import { seededNumbers } from '../support/seeded.ts'

const scored = (scores: Record<number, number>) => Object.entries(scores).map(([id, score]) => ({ id: Number(id), score }))
const byScore = (scores: Record<number, number>) => scored(scores).toSorted((a, b) => b.score - a.score)
const none = () => []

t.test('the score is the weighted sum of both legs, best first, equal ones by id', async t => {
  const legs = { lexical: byScore({ 7: 0.8, 2: 0.6 }), vector: byScore({ 3: 0.9, 2: 0.7, 4: 0.2 }) }
  const fused = [...fuse(legs, 0.5, () => scored({ 7: 0.1 }))]
  t.same(
    fused.map(({ id, score }) => [id, Number(score.toFixed(6))]),
    [
      [2, 0.65],
      [3, 0.45],
      [7, 0.45],
      [4, 0.1],
    ],
  )
  t.same(fused[0]?.legs, { lexical: { rank: 2, score: 0.6 }, vector: { rank: 2, score: 0.7 } })
  t.same(fused[2]?.legs, { lexical: { rank: 1, score: 0.8 }, vector: undefined })
})

t.test('a vector that the vector leg did not find is compared only when it could be the next best', async t => {
  const lexical = byScore({
    1: 1,
    2: 0.9,
    3: 0.3,
    4: 0.2,
    ...Object.fromEntries(Array.from({ length: 60 }, (_, i) => [i + 10, 0.1])),
  })
  const vector = byScore({ 1: 0.8, 5: 0.5 })
  const asked: number[][] = []
  const list = fuse({ lexical, vector }, 0.5, ids => {
    asked.push(ids)
    return ids.map(id => ({ id, score: 0.4 }))
  })
  t.equal(list.next().value?.id, 1)
  t.same(asked, [], 'none can be better than the first')
  t.equal(list.next().value?.id, 2)
  t.same([asked.length, asked[0]?.[0]], [1, 2])
  const rest = [...list]
  t.same(
    asked.flat().toSorted(),
    lexical
      .map(({ id }) => id)
      .filter(id => id !== 1)
      .toSorted(),
    'each once',
  )
  t.same(
    rest.slice(0, 3).map(({ id, score }) => [id, Number(score.toFixed(6))]),
    [
      [3, 0.35],
      [4, 0.3],
      [5, 0.25],
    ],
  )
})

t.test('however few vectors are compared, the list is the one of all of them', async t => {
  const below = seededNumbers(7)
  const random = () => below(1e6) / 1e6
  for (let round = 0; round < 200; round++) {
    const cosine = new Map(Array.from({ length: 80 }, (_, id) => [id, 2 * random() - 1]))
    const nearest = [...cosine].map(([id, score]) => ({ id, score })).toSorted((a, b) => b.score - a.score)
    const lexical = byScore(Object.fromEntries([...cosine.keys()].filter(() => random() < 0.5).map(id => [id, random()])))
    const lists = [80, 20].map(limit => {
      const vector = nearest.slice(0, limit)
      const list = fuse({ lexical, vector }, 0.5, ids => ids.map(id => ({ id, score: cosine.get(id) ?? 0 })))
      const among = new Set([...lexical, ...nearest.slice(0, 20)].map(({ id }) => id))
      return [...list].filter(({ id }) => among.has(id)).map(({ id, score }) => ({ id, score }))
    })
    t.ok(lists[0]?.length)
    t.same(lists[1], lists[0])
  }
})

t.test('scores stay within 0 and 1, and what neither leg speaks for is left out', async t => {
  const legs = { lexical: scored({ 1: 1 }), vector: scored({ 1: 1.0000001, 2: 0, 3: -0.4 }) }
  t.same(
    [...fuse(legs, 0.5, none)].map(({ id, score }) => [id, score]),
    [[1, 1]],
  )
  t.same([...fuse({ lexical: [], vector: [] }, 0.5, none)], [])
})

t.test('a leg of weight 0 changes nothing and is not asked', async t => {
  const lexical = scored({ 1: 0.8, 2: 0.6 })
  const alone = [...fuse({ lexical, vector: [] }, 0, () => t.fail('asked') as never)]
  t.same(
    alone.map(({ id, score }) => ({ id, score })),
    lexical,
  )
})

t.test('the first of what differs in form alone stays; letters of any script and digits count', async t => {
  const hit = (content: string, document_id = content) => ({ content, document_id })
  const kept = (...contents: string[]) =>
    contents
      .map(content => hit(content))
      .filter(distinct(undefined))
      .map(({ content }) => content)
  t.same(kept('A fee – of 30', 'a fee of 30', 'ａ fee of 30', 'a fee of 31'), ['A fee – of 30', 'a fee of 31'])
  t.same(kept('बांध', 'बंध'), ['बांध', 'बंध'])
  t.same(kept('—', '!!'), ['—', '!!'])
  t.same(
    [hit('x', 'a'), hit('y', 'a'), hit('x', 'b')].filter(distinct('document')).map(({ document_id }) => document_id),
    ['a', 'b'],
  )
})
