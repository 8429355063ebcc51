// How good a ranking is, and how sure that is: the measures of an evaluation. Relevance is yes or no.

/** A mean over queries with the bounds of its 95 % confidence interval. */
export interface Estimate {
  mean: number
  low: number
  high: number
}

export interface Marks {
  ndcg_at_10: number
  recall_at_10: number
  reciprocal_rank: number
}

const DEPTH = 10
/** Standard errors to either side of a mean that hold 95 % of a normal distribution. */
const Z = 1.96

/** Marks of one ranking (document ids, best first) against the ids that are relevant. nDCG as in Järvelin and Kekäläinen, 2002. */
export function marks(ranking: readonly string[], relevant: readonly string[]): Marks {
  const wanted = new Set(relevant)
  const hits = ranking.slice(0, DEPTH).map(id => wanted.has(id))
  const gain = (positions: readonly boolean[]) => positions.reduce((sum, hit, at) => sum + (hit ? 1 / Math.log2(at + 2) : 0), 0)
  const ideal = gain(Array.from({ length: Math.min(DEPTH, wanted.size) }, () => true))
  const first = ranking.findIndex(id => wanted.has(id))
  return {
    ndcg_at_10: gain(hits) / ideal,
    recall_at_10: hits.filter(Boolean).length / wanted.size,
    reciprocal_rank: first < 0 ? 0 : 1 / (first + 1),
  }
}

/** Mean and interval of one value per query; of a single value nothing but itself is known. */
export function estimate(values: readonly number[]): Estimate {
  const mean = values.reduce((sum, value) => sum + value, 0) / values.length
  const variance = values.reduce((sum, value) => sum + (value - mean) ** 2, 0) / Math.max(1, values.length - 1)
  const half = Z * Math.sqrt(variance / values.length)
  return { mean, low: mean - half, high: mean + half }
}
