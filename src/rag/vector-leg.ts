// The vector leg: the passages nearest to a question's vector, of all documents or of some. Of a few passages each is compared. Otherwise the
// nearest of all are looked through, and what is of other documents among them is left out.
import { type Scored, scan } from './rows.ts'
import type { Passages } from './store/passages.ts'
import { EXACT_MAX, type Vectors } from './vectors.ts'

/** Nearest of all that are looked through at first, for each that is wanted, and at most. */
const LOOKED_AT = 5
const LOOKED_AT_MAX = 5000
/** More are looked through than were enough so far. */
const SPARE = 1.5
/** Passages of the documents asked for of which each is compared: to read so many takes as long as to look through the nearest. */
const COMPARED_MAX = 250

/** Best first; `documents` is a JSON list of ids. */
export function vectorLeg(
  passages: Passages,
  vectors: Vectors,
  query: Float32Array,
  limit: number,
  documents: string | undefined,
): Scored[] {
  if (!documents) return vectors.search(query, limit)
  const found = passages.exceed(documents, COMPARED_MAX) && lookThrough(passages, vectors, query, limit, documents)
  return found || scan(query, passages.vectorsOf(documents), limit)
}

/** As many of the documents as are wanted, or nothing where the nearest of all hold too few of them. */
function lookThrough(passages: Passages, vectors: Vectors, query: Float32Array, limit: number, documents: string) {
  let most = Math.max(EXACT_MAX, LOOKED_AT * limit)
  while (most <= LOOKED_AT_MAX) {
    const nearest = vectors.search(query, most)
    const own = new Set(passages.among(JSON.stringify(nearest.map(({ id }) => id)), documents))
    if (own.size >= limit) return nearest.filter(({ id }) => own.has(id)).slice(0, limit)
    const isAll = nearest.length < most
    if (own.size === 0 || isAll) return undefined
    most = Math.ceil((SPARE * most * limit) / own.size)
  }
}
