// How two legs become one list. Scores have fixed bounds (a cosine, and BM25 as a share of the most it could be), so they compare between
// questions and collections and a least score means something. Measured against rank fusion and min-max: benchmarks/retrieval.ts.
import { better, type Scored } from './rows.ts'

export interface Leg {
  rank: number
  score: number
}
export interface Fused extends Scored {
  /** Where each leg had it; absent where it was not among that leg's candidates. */
  legs: { lexical?: Leg; vector?: Leg }
}
/** What each leg found, best first. */
export interface Legs {
  lexical: Scored[]
  vector: Scored[]
}

/** Vectors of what only the lexical leg found that are compared at once. */
const COMPARED = 20

/**
 * `weight` (0 to 1) of the cosine and the rest of the words, best first; only what scores above 0. What the vector leg did not find is taken
 * to be no nearer than the last that it did, as it is but for the few that a graph misses: `cosines` is asked for its cosine only when it
 * could be the next best by that.
 */
export function* fuse({ lexical, vector }: Legs, weight: number, cosines: (ids: number[]) => Scored[]): Generator<Fused> {
  const words = ranked(lexical)
  const near = ranked(vector)
  const nearest = (cosine: number) => weight * Math.max(0, Math.min(1, cosine))
  const furthest = nearest(vector.at(-1)?.score ?? 1)
  let left = [...new Set([...words.keys(), ...near.keys()])].map(id => {
    const legs = { lexical: words.get(id), vector: near.get(id) }
    const byWords = (1 - weight) * (legs.lexical?.score ?? 0)
    const score = (legs.vector ? nearest(legs.vector.score) : furthest) + byWords
    return { id, score, legs, byWords, isKnown: weight === 0 || legs.vector !== undefined }
  })
  for (;;) {
    left = left.filter(({ score }) => score > 0).toSorted(better)
    const known = left.findIndex(({ isKnown }) => !isKnown)
    for (const { id, score, legs } of left.splice(0, known < 0 ? left.length : known)) yield { id, score, legs }
    if (left.length === 0) return
    const unknown = left.filter(({ isKnown }) => !isKnown).slice(0, COMPARED)
    const cosineOf = new Map(cosines(unknown.map(({ id }) => id)).map(({ id, score }) => [id, score]))
    for (const one of unknown) {
      one.score = nearest(cosineOf.get(one.id) ?? 0) + one.byWords
      one.isKnown = true
    }
  }
}

function ranked(leg: Scored[]): Map<number, Leg> {
  return new Map(leg.map(({ id, score }, i) => [id, { rank: i + 1, score }]))
}

interface Found {
  document_id: string
  content: string
}

/**
 * Asked of one hit after the other: is it the first of its document, or else of what is nearly the same? One that `holds` says no to is
 * none; of what comes after a first one it is not asked.
 */
export function distinct<Hit extends Found>(groupBy: 'document' | undefined, holds: (hit: Hit) => boolean = () => true) {
  const seen = new Set<string>()
  return (hit: Hit): boolean => {
    const key = groupBy === 'document' ? hit.document_id : likeness(hit.content)
    if (seen.has(key) || !holds(hit)) return false
    seen.add(key)
    return true
  }
}

/**
 * The same for texts that differ in case, spacing, punctuation or form of letters alone. Nothing more is called a duplicate: two clauses
 * that differ in one name or number say different things.
 */
function likeness(content: string): string {
  const words = content
    .normalize('NFKC')
    .toLowerCase()
    .replaceAll(/[^\p{L}\p{M}\p{N}]+/gu, ' ')
  return words.trim() || content
}
