// A question asked of several collections: each is searched by itself, with its own term statistics, and the best of all come back.
// The vector leg weighs less the less the model knows the question's words, and nothing in a script it never learned.
import type { SearchMode } from '../contracts/search.ts'
import { failure } from '../platform/errors.ts'
import type { QueryVector } from './embed.ts'
import { distinct, type Leg } from './fusion.ts'
import type { Lanes } from './lanes.ts'

/** Weight of the vector leg for a question the model knows well. */
const VECTOR_WEIGHT = 0.5
/** Below this familiarity the vector leg weighs nothing, from the other on it weighs all it may. */
const FAMILIAR_MIN = 0.3
const FAMILIAR_ENOUGH = 0.6

export interface SearchOrder {
  query: string
  mode: SearchMode
  top_k: number
  /**
   * `texts`: folder of the canonical texts, which then are compared with every passage that is given. `documents`: JSON list of ids, only
   * passages of these.
   */
  collections: { id: string; dir: string; texts?: string; documents?: string }[]
  min_score?: number
  /** The best passage of each document. */
  group_by?: 'document'
  /** Name of the model to compare with; the one that serves otherwise. */
  model?: string
  signal?: AbortSignal
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
  /** 0 to 1, higher is better; comparable between questions. */
  score: number
  legs: { lexical?: Leg; vector?: Leg }
}

/** A cross-encoder's place: how well each text answers the question, 0 to 1, in their order. There is none by default. */
export type Rerank = (question: string, texts: string[]) => Promise<number[]>

/** Passages a reranker is given, the best of both legs together. */
const RERANKED = 50

/** The best passages of these collections, best first; never padded with guesses. Near-duplicates are one hit. Throws `cancelled`. */
export async function search(
  lanes: Pick<Lanes, 'embedQuery' | 'words' | 'near' | 'find'>,
  order: SearchOrder,
  rerank?: Rerank,
): Promise<Hit[]> {
  const { query, mode, top_k, collections, group_by, min_score = 0, model, signal } = order
  if (collections.length === 0) return []
  const limit = rerank ? Math.max(top_k, RERANKED) : top_k
  const wanted = { question: query, limit, min_score: rerank ? 0 : min_score, group_by }

  const asking = mode === 'lexical' ? undefined : lanes.embedQuery(query, model)
  const found = await Promise.all(
    collections.map(async ({ id, ...place }) => {
      // The words are looked up while the model reads the question, and when it is done first, its vector is meanwhile compared with others.
      let isRead = mode !== 'hybrid'
      const reading = isRead ? undefined : lanes.words({ ...place, ...wanted }).finally(() => (isRead = true))
      const comparing = async () => {
        const asked = await asking
        if (signal?.aborted) throw failure('cancelled')
        const weight = weightOf(mode, asked)
        // What weighs nothing is not brought along: such a question is one of words, whatever the vectors are from.
        if (!asked || weight === 0) return { weight: 0 }
        const by = { vector: asked.vector, model: asked.model, weight }
        const near = isRead ? undefined : await lanes.near({ ...place, ...wanted, ...by })
        return { ...by, near }
      }
      const [words, compared] = await Promise.all([reading, comparing()])
      const hits = await lanes.find({ ...place, ...wanted, ...compared, words })
      return hits.map(hit => ({ collection_id: id, ...hit }))
    }),
  )
  // The sort is stable: equal scores stay in the order of the collections asked.
  const hits = found.flat().toSorted((a, b) => b.score - a.score)
  // What one collection gave is distinct already.
  const best = collections.length > 1 ? hits.filter(distinct(group_by)) : hits
  return rerank ? reranked(best.slice(0, RERANKED), order, rerank) : best.slice(0, top_k)
}

/** The reranker's order and scores; each leg still tells its own. */
async function reranked(hits: Hit[], { query, top_k, min_score = 0 }: SearchOrder, rerank: Rerank): Promise<Hit[]> {
  const contents = hits.map(({ content }) => content)
  const scores = await rerank(query, contents)
  return hits
    .map((hit, i) => ({ ...hit, score: scores[i] ?? 0 }))
    .filter(({ score }) => score >= min_score)
    .toSorted((a, b) => b.score - a.score)
    .slice(0, top_k)
}

function weightOf(mode: SearchMode, asked: QueryVector | undefined): number {
  if (mode === 'vector') return 1
  if (!asked) return 0
  return VECTOR_WEIGHT * Math.min(1, Math.max(0, (asked.familiarity - FAMILIAR_MIN) / (FAMILIAR_ENOUGH - FAMILIAR_MIN)))
}
