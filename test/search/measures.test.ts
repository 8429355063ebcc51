import t from 'tap'
import { interval, mean, ndcg, recall, reciprocalRank } from '../../benchmarks/measures.ts'

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
