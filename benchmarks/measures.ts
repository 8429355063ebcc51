// What retrieval is judged by: nDCG with graded gains, recall, reciprocal rank; and how sure the mean of them is.

/** Document → gain; only gains above 0 are relevant. */
export type Judgements = Map<string, number>

/** nDCG@k with gain 2^rel − 1 replaced by rel, as trec_eval and BEIR count it (Järvelin & Kekäläinen 2002). */
export function ndcg(ranking: string[], judged: Judgements, k: number): number {
  const discounted = (gains: number[]) => gains.slice(0, k).reduce((sum, gain, i) => sum + gain / Math.log2(i + 2), 0)
  const ideal = discounted([...judged.values()].filter(gain => gain > 0).toSorted((a, b) => b - a))
  return ideal === 0 ? 0 : discounted(ranking.map(id => Math.max(0, judged.get(id) ?? 0))) / ideal
}

export function recall(ranking: string[], judged: Judgements, k: number): number {
  const relevant = [...judged].filter(([, gain]) => gain > 0).map(([id]) => id)
  const found = new Set(ranking.slice(0, k))
  return relevant.length === 0 ? 0 : relevant.filter(id => found.has(id)).length / relevant.length
}

export function reciprocalRank(ranking: string[], judged: Judgements, k: number): number {
  const first = ranking.slice(0, k).findIndex(id => (judged.get(id) ?? 0) > 0)
  return first < 0 ? 0 : 1 / (first + 1)
}

export const mean = (values: number[]) => values.reduce((sum, value) => sum + value, 0) / values.length

/** The middle 95 % of the means of `rounds` resamplings (Efron's bootstrap), with a seeded generator so that it repeats. */
export function interval(values: number[], rounds = 1000): [number, number] {
  let state = 1
  const next = () => {
    state = (Math.imul(state, 1_103_515_245) + 12_345) >>> 0
    return state / 2 ** 32
  }
  const means = Array.from({ length: rounds }, () => mean(values.map(() => values[Math.floor(next() * values.length)] as number)))
  const ordered = means.toSorted((a, b) => a - b)
  return [ordered[Math.floor(rounds * 0.025)] as number, ordered[Math.floor(rounds * 0.975)] as number]
}
