// Both legs, fused. Scores have fixed bounds (a cosine, and BM25 as a share of the most it could be), so they compare between questions
// and collections and `min_score` means something; the vector leg weighs less the less the model knows the question's words.
import type { SearchMode } from '../contracts/search.ts'
import { failure } from '../platform/errors.ts'
import type { QueryVector } from './embed.ts'
import type { Lanes } from './lanes.ts'
import type { Scored } from './rows.ts'
import type { StoredPassage } from './store/passages.ts'
import type { Legs } from './workers/searcher.ts'

/** Candidates of each leg; more are taken when more are asked for. */
const CANDIDATES = 100
/** Weight of the vector leg for a question the model knows well. */
const VECTOR_WEIGHT = 0.5
/** Below this familiarity the vector leg weighs nothing, from that one on it weighs all it may. */
const FAMILIAR_MIN = 0.3
const FAMILIAR_ENOUGH = 0.6

export interface SearchOrder {
  query: string
  mode: SearchMode
  top_k: number
  collections: { id: string; dir: string }[]
  min_score?: number
  /** Only passages of these documents. */
  documents?: string[]
  /** The best passage of each document. */
  group_by?: 'document'
  signal?: AbortSignal
}
export interface Leg {
  rank: number
  score: number
}
export interface Hit {
  collection_id: string
  document_id: string
  version: string
  chunk_id: string
  content: string
  start_byte: number
  end_byte: number
  page?: number
  heading?: string
  score: number
  legs: { lexical?: Leg; vector?: Leg }
}

/** The best passages of these collections, best first; never padded with guesses. Near-duplicates are one hit. Throws `cancelled`. */
export async function search(lanes: Pick<Lanes, 'embedQuery' | 'legs'>, order: SearchOrder): Promise<Hit[]> {
  const { query, mode, top_k, collections, min_score = 0, documents } = order
  if (documents?.length === 0 || collections.length === 0) return []
  const asked = mode === 'lexical' ? undefined : await lanes.embedQuery(query)
  if (order.signal?.aborted) throw failure('cancelled')
  const weight = weightOf(mode, asked)
  const limit = Math.max(CANDIDATES, 2 * top_k)
  const perCollection = collections.map(async ({ id, dir }) => {
    const vector = weight > 0 ? asked?.vector : undefined
    return fuse(id, await lanes.legs({ dir, question: query, vector, lexical: weight < 1, limit, documents }), weight)
  })
  const hits = (await Promise.all(perCollection)).flat().filter(({ score }) => score > 0 && score >= min_score)
  return distinct(hits.toSorted(better), order.group_by).slice(0, top_k)
}

function weightOf(mode: SearchMode, asked: QueryVector | undefined): number {
  if (mode === 'vector') return 1
  if (!asked) return 0
  return VECTOR_WEIGHT * Math.min(1, Math.max(0, (asked.familiarity - FAMILIAR_MIN) / (FAMILIAR_ENOUGH - FAMILIAR_MIN)))
}

function fuse(collection_id: string, { lexical, vector, cosines, passages }: Legs, weight: number): Hit[] {
  const words = ranked(lexical)
  const near = ranked(vector)
  const cosineOf = new Map([...vector, ...cosines].map(({ id, score }) => [id, Math.max(0, Math.min(1, score))]))
  return passages.map(passage => {
    const score = weight * (cosineOf.get(passage.id) ?? 0) + (1 - weight) * (words.get(passage.id)?.score ?? 0)
    return hitOf(collection_id, passage, score, { lexical: words.get(passage.id), vector: near.get(passage.id) })
  })
}

function ranked(leg: Scored[]): Map<number, Leg> {
  return new Map(leg.map(({ id, score }, i) => [id, { rank: i + 1, score }]))
}

function hitOf(collection_id: string, passage: StoredPassage, score: number, legs: Hit['legs']): Hit {
  const { document: document_id, version, ordinal, content, start_byte, end_byte, page, heading } = passage
  const chunk_id = `${document_id}-${version.slice(0, 12)}-${ordinal}`
  const place = { ...(page !== null && { page }), ...(heading !== null && { heading }) }
  return { collection_id, document_id, version, chunk_id, content, start_byte, end_byte, ...place, score, legs }
}

/** Higher first; equal ones in an order that does not depend on which thread was faster. */
const better = (a: Hit, b: Hit) => b.score - a.score || (a.chunk_id < b.chunk_id ? -1 : 1)

function distinct(hits: Hit[], groupBy: SearchOrder['group_by']): Hit[] {
  const seen = new Set<string>()
  return hits.filter(({ content, document_id }) => {
    const key = groupBy === 'document' ? document_id : content.toLowerCase().replace(/\s+/g, ' ').trim()
    return !seen.has(key) && seen.add(key)
  })
}
