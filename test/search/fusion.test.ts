import t from 'tap'
import { distinct, fuse } from '../../src/rag/fusion.ts'

const scored = (scores: Record<number, number>) => Object.entries(scores).map(([id, score]) => ({ id: Number(id), score }))

t.test('the score is the weighted sum of both legs, best first, equal ones by id', async t => {
  const legs = {
    lexical: [
      { id: 7, score: 0.8 },
      { id: 2, score: 0.6 },
    ],
    vector: scored({ 3: 0.9, 2: 0.7, 4: 0.2 }),
    cosines: scored({ 7: 0.1 }),
  }
  const fused = fuse({ ...legs, vector: legs.vector.toSorted((a, b) => b.score - a.score) }, 0.5)
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

t.test('scores stay within 0 and 1, and what neither leg speaks for is left out', async t => {
  const legs = { lexical: scored({ 1: 1 }), vector: scored({ 1: 1.0000001, 2: 0, 3: -0.4 }), cosines: [] }
  t.same(
    fuse(legs, 0.5).map(({ id, score }) => [id, score]),
    [[1, 1]],
  )
  t.same(fuse({ lexical: [], vector: [], cosines: [] }, 0.5), [])
})

t.test('a leg of weight 0 changes nothing', async t => {
  const lexical = scored({ 1: 0.8, 2: 0.6 })
  const alone = fuse({ lexical, vector: [], cosines: [] }, 0)
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
