import t from 'tap'
import { interval, mean, ndcg, recall, reciprocalRank } from '../../benchmarks/measures.ts'
import { estimate, marks } from '../../src/rag/measures.ts'

t.test("an evaluation's marks and intervals: known rankings, and the same interval for the same values", async t => {
  t.same(marks(['a', 'x'], ['a']), { ndcg_at_10: 1, recall_at_10: 1, reciprocal_rank: 1 })
  t.same(marks(['x', 'a'], ['a', 'b']), {
    ndcg_at_10: 1 / Math.log2(3) / (1 + 1 / Math.log2(3)),
    recall_at_10: 0.5,
    reciprocal_rank: 0.5,
  })
  t.same(marks([], ['a']), { ndcg_at_10: 0, recall_at_10: 0, reciprocal_rank: 0 })
  const values = Array.from({ length: 300 }, (_, i) => (i % 3 === 0 ? 0 : 1))
  const known = estimate(values)
  t.same(estimate(values), known)
  // 1.96 standard errors either way, within a tenth.
  const half = 1.96 * Math.sqrt(2 / 9 / values.length)
  t.ok(Math.abs((known.high - known.low) / (2 * half) - 1) < 0.1)
  t.ok(known.low < known.mean && known.mean < known.high)
  t.same(estimate([0.4]), { mean: 0.4, low: 0.4, high: 0.4 })
})

const judged = new Map([
  ['a', 2],
  ['b', 1],
  ['c', 0],
])

t.test('nDCG, recall and reciprocal rank are what trec_eval gives', async t => {
  const close = (value: number, right: number) => t.ok(Math.abs(value - right) < 1e-6, `${value} is ${right}`)
  close(ndcg(['a', 'b'], judged, 10), 1)
  close(ndcg(['b', 'a'], judged, 10), (1 + 2 / Math.log2(3)) / (2 + 1 / Math.log2(3)))
  close(ndcg(['x', 'c', 'b'], judged, 10), 0.5 / (2 + 1 / Math.log2(3)))
  close(ndcg(['x', 'a'], judged, 1), 0)
  close(ndcg(['a'], new Map(), 10), 0)
  close(recall(['x', 'b', 'c'], judged, 3), 0.5)
  close(recall(['x', 'b', 'c'], judged, 1), 0)
  close(reciprocalRank(['c', 'x', 'b'], judged, 10), 1 / 3)
  close(reciprocalRank(['c', 'x', 'b'], judged, 2), 0)
})

t.test('the interval of a mean holds the mean, narrows with more values, and repeats', async t => {
  const values = Array.from({ length: 400 }, (_, i) => (i * 7919) % 100)
  const [low, high] = interval(values)
  t.ok(low < mean(values) && mean(values) < high)
  const [few, many] = [interval(values.slice(0, 25)), [low, high] as const]
  t.ok(many[1] - many[0] < few[1] - few[0])
  t.same(interval(values), [low, high])
  // 1.96 standard errors either way, within a tenth.
  const error = Math.sqrt(mean(values.map(value => (value - mean(values)) ** 2)) / values.length)
  t.ok(Math.abs((high - low) / (2 * 1.96 * error) - 1) < 0.1)
})
