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
/** Resamplings behind an interval: with these its bounds move by a few hundredths of its width from one seed to the next. */
const ROUNDS = 1000

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

/**
 * Mean and interval of one value per query: the middle 95 % of the means of resamplings (Efron's bootstrap, 1979), always the same ones,
 * so that equal values give equal intervals. Of a single value nothing but itself is known.
 */
export function estimate(values: readonly number[]): Estimate {
  const next = numbers()
  const resampled = Float64Array.from({ length: ROUNDS }, () => {
    let sum = 0
    for (let i = 0; i < values.length; i++) sum += values[Math.floor(next() * values.length)] ?? 0
    return sum / values.length
  }).sort()
  const at = (share: number) => resampled[Math.floor((ROUNDS - 1) * share)] ?? 0
  return { mean: values.reduce((sum, value) => sum + value, 0) / values.length, low: at(0.025), high: at(0.975) }
}

/** Numbers in [0, 1), the same ones each time (Vigna's splitmix, in 32 bits). */
function numbers(): () => number {
  let state = 0
  return () => {
    state = (state + 0x9e3779b9) >>> 0
    let mixed = Math.imul(state ^ (state >>> 16), 0x21f0aaad)
    mixed = Math.imul(mixed ^ (mixed >>> 15), 0x735a2d97)
    return ((mixed ^ (mixed >>> 15)) >>> 0) / 2 ** 32
  }
}
