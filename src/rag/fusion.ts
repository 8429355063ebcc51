// How two legs become one list. Scores have fixed bounds (a cosine, and BM25 as a share of the most it could be), so they compare between
// questions and collections and a least score means something. Measured against rank fusion and min-max: benchmarks/retrieval.ts.
import type { Scored } from './rows.ts'

export interface Leg {
  rank: number
  score: number
}
export interface Fused extends Scored {
  /** Where each leg had it; absent where it was not among that leg's candidates. */
  legs: { lexical?: Leg; vector?: Leg }
}
export interface Legs {
  lexical: Scored[]
  vector: Scored[]
  /** Cosines of what only the lexical leg found. */
  cosines: Scored[]
}

/** `weight` (0 to 1) of the cosine and the rest of the words, best first; only what scores above 0. */
export function fuse({ lexical, vector, cosines }: Legs, weight: number): Fused[] {
  const words = ranked(lexical)
  const near = ranked(vector)
  const cosineOf = new Map([...vector, ...cosines].map(({ id, score }) => [id, Math.max(0, Math.min(1, score))]))
  const ids = [...new Set([...words.keys(), ...near.keys()])]
  return ids
    .map(id => {
      const score = weight * (cosineOf.get(id) ?? 0) + (1 - weight) * (words.get(id)?.score ?? 0)
      return { id, score, legs: { lexical: words.get(id), vector: near.get(id) } }
    })
    .filter(({ score }) => score > 0)
    .toSorted((a, b) => b.score - a.score || a.id - b.id)
}

function ranked(leg: Scored[]): Map<number, Leg> {
  return new Map(leg.map(({ id, score }, i) => [id, { rank: i + 1, score }]))
}

interface Found {
  document_id: string
  content: string
}

/** Asked of one hit after the other: is it the first of its document, or else of what is nearly the same? */
export function distinct(groupBy: 'document' | undefined): (hit: Found) => boolean {
  const seen = new Set<string>()
  return ({ content, document_id }) => {
    const key = groupBy === 'document' ? document_id : likeness(content)
    return !seen.has(key) && seen.add(key) !== undefined
  }
}

/**
 * The same for texts that differ in case, spacing, punctuation or form of letters alone. Nothing more is called a duplicate: two clauses
 * that differ in one name or number say different things.
 */
function likeness(content: string): string {
  const letters = content
    .normalize('NFKC')
    .toLowerCase()
    .match(/[\p{L}\p{M}\p{N}]+/gu)
  return letters ? letters.join(' ') : content
}
