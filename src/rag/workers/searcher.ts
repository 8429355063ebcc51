// The thread that searches: one collection at a time, as of one moment, both legs fused, with its vectors in memory. Only what is asked
// for leaves it, so that the event loop has little to carry.
import { workerData } from 'node:worker_threads'
import { distinct, fuse, type Legs } from '../fusion.ts'
import { lexicalLeg } from '../lexical.ts'
import { openRows, type Scored } from '../rows.ts'
import type { Hit } from '../search.ts'
import { openPassages } from '../store/collection.ts'
import type { StoredPassage, StoredVector } from '../store/passages.ts'
import { openVectors } from '../vectors.ts'
import { openFiles } from './open-files.ts'
import { told } from './told.ts'

/** Memory the vectors of all collections may take: some 600,000 of 384 numbers. A single larger collection is still searched. */
const VECTOR_BYTES_MAX = 2 ** 30

interface Setting {
  fingerprint: string
  dimensions: number
  exactMax?: number
}
const { fingerprint: model, dimensions, exactMax } = workerData as Setting
const files = openFiles(open, ({ vectors }) => vectors.size().bytes, VECTOR_BYTES_MAX)

type Held = NonNullable<ReturnType<typeof open>>

function open(dir: string) {
  const file = openPassages(dir, model)
  return file && { file, vectors: openVectors(file, { dir, model, dimensions, exactMax }), close: file.close }
}

/** Candidates of each leg; more are taken when more are asked for, or when too many of them turn out to be the same. */
const CANDIDATES = 100
const CANDIDATES_MAX = 2000

export interface FindRequest {
  dir: string
  question: string
  /** Unit length; needed where it weighs anything. */
  vector?: Float32Array
  /** Of the vector leg, 0 to 1; a leg without weight is not run. */
  weight: number
  limit: number
  min_score: number
  /** Only passages of these documents. */
  documents?: string[]
  group_by?: 'document'
}
export type Found = Omit<Hit, 'collection_id'>

/** The best of one collection, and whether its vector index has work to do. */
export const find = told((request: FindRequest): { hits: Found[]; behind: boolean } => {
  const held = files.of(request.dir)
  if (!held) return { hits: [], behind: false }
  const hits = held.file.snapshot(() => best(held, request, Math.max(CANDIDATES, 2 * request.limit)))
  return { hits, behind: held.vectors.behind() }
})

function best(held: Held, request: FindRequest, candidates: number): Found[] {
  const { weight, limit, min_score, group_by } = request
  const legs = legsOf(held, request, candidates)
  const fused = fuse(legs, weight)
  const good = fused.filter(({ score }) => score >= min_score)
  const stored = new Map(held.file.passages(good.map(({ id }) => id)).map(passage => [passage.id, passage]))
  const found = good.flatMap(({ id, score, legs }) => {
    const passage = stored.get(id)
    return passage ? [foundOf(passage, score, legs)] : []
  })
  const hits = distinct(found, group_by).slice(0, limit)
  const isMore = good.length === fused.length && Math.max(legs.lexical.length, legs.vector.length) >= candidates
  return hits.length < limit && isMore && candidates < CANDIDATES_MAX ? best(held, request, 4 * candidates) : hits
}

function legsOf({ file, vectors }: Held, { question, vector, weight, documents }: FindRequest, limit: number): Legs {
  const lexical = weight < 1 ? lexicalLeg(file, question, limit, documents) : []
  if (!vector || weight === 0) return { lexical, vector: [], cosines: [] }
  const near = documents ? nearest(vector, file.vectorsOf(documents), limit) : vectors.search(vector, limit)
  const known = new Set(near.map(({ id }) => id))
  const rest = lexical.map(({ id }) => id).filter(id => !known.has(id))
  return { lexical, vector: near, cosines: nearest(vector, file.vectors(rest), rest.length) }
}

function foundOf(passage: StoredPassage, score: number, legs: Hit['legs']): Found {
  const { document: document_id, version, ordinal, content, start_byte, end_byte, page, heading } = passage
  const chunk_id = `${document_id}-${version.slice(0, 12)}-${ordinal}`
  const place = { ...(page !== null && { page }), ...(heading !== null && { heading }) }
  return { document_id, version, chunk_id, content, start_byte, end_byte, ...place, score, legs }
}

function nearest(query: Float32Array, stored: StoredVector[], limit: number): Scored[] {
  const rows = openRows(dimensions)
  for (const vector of stored) rows.set(vector)
  return rows.nearest(query, limit)
}

/** Does a little of what the vector index still has to do; true while there is more. */
export const step = told(({ dir }: { dir: string }) => files.of(dir)?.vectors.step() ?? false)

export const close = told(({ dir }: { dir: string }) => files.close(dir))
