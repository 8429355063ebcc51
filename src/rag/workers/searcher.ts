// A thread that searches: one collection at a time, as of one moment, both legs fused, with its vectors in memory where they are asked for.
// Only what is asked for leaves it, so that the event loop has little to carry.
import { join } from 'node:path'
import { workerData } from 'node:worker_threads'
import { distinct, type Fused, fuse, type Legs } from '../fusion.ts'
import { lexicalLeg } from '../lexical.ts'
import { type Scored, scan } from '../rows.ts'
import type { Hit } from '../search.ts'
import { openPassages } from '../store/collection.ts'
import { BESIDE } from '../store/graph-file.ts'
import type { Passages, StoredPassage } from '../store/passages.ts'
import { holdsAt } from '../store/text-bytes.ts'
import { vectorLeg } from '../vector-leg.ts'
import { openVectors, type Vectors } from '../vectors.ts'
import { openFiles } from './open-files.ts'
import { told } from './told.ts'

/** Memory the vectors of all collections but the largest may take: some 590,000 of 384 numbers (vectors.ts says what each takes). */
const VECTOR_BYTES_MAX = 2 ** 30

const { exactMax } = workerData as { exactMax?: number }
const files = openFiles(open, ({ bytes }) => bytes(), VECTOR_BYTES_MAX)

/** A collection's file, and its vectors of each model it was asked with. */
function open(dir: string) {
  const file = openPassages(dir)
  if (!file) return undefined
  const indexes = new Map<string, { passages: Passages; vectors: Vectors }>()
  const all = () => [...indexes.values()].map(({ vectors }) => vectors.size())
  return {
    file,
    vectors({ fingerprint: model, dimensions }: Model) {
      const passages = file.of(model)
      const { model: own, beside } = file.models()
      // A change of the model leaves vectors behind that are not those of the file any more.
      for (const [name, index] of indexes) {
        if ((name === own || name === beside) && (name !== model || index.passages === passages)) continue
        index.vectors.close()
        indexes.delete(name)
      }
      const known = indexes.get(model)
      if (known) return known
      // The graphs of two models lie apart.
      const home = beside === model ? join(dir, BESIDE) : dir
      const vectors = openVectors(passages, { dir: home, model, dimensions, exactMax })
      const index = { passages, vectors }
      indexes.set(model, index)
      return index
    },
    sizes: () => Object.fromEntries([...indexes].map(([model, { vectors }]) => [model, vectors.size()])),
    bytes: () => all().reduce((sum, { bytes }) => sum + bytes, 0),
    close() {
      for (const { vectors } of indexes.values()) vectors.close()
      file.close()
    },
  }
}

/** Candidates of each leg; more are taken when more are asked for, or, up to the greatest number, when too many turn out to be the same. */
const CANDIDATES = 100
const CANDIDATES_MAX = 2000
/** Texts that are read at once beyond those asked for: a few turn out to be the same as others. */
const SPARE = 3
const candidatesFor = (limit: number) => Math.max(CANDIDATES, 2 * limit)

/** Whose vectors are compared. */
export interface Model {
  fingerprint: string
  dimensions: number
}
export interface FindRequest {
  dir: string
  question: string
  /** Unit length, made by `model`; needed where it weighs anything. */
  vector?: Float32Array
  model: Model
  /** Of the vector leg, 0 to 1; a leg without weight is not run. */
  weight: number
  limit: number
  min_score: number
  /** JSON list of ids: only passages of these documents. */
  documents?: string
  group_by?: 'document'
  /** Folder of the canonical texts, each named by its version: only passages that stand there, byte for byte, are given. */
  texts?: string
  /** What `words` and `near` gave for the same question; taken only if nothing has been published since. */
  words?: LegFound
  near?: LegFound
}
export type Found = Omit<Hit, 'collection_id'>

export interface FindReply {
  hits: Found[]
  /** Whether the vector index has work to do. */
  behind: boolean
  /** Documents that are not given, since a text of theirs no longer holds what it is searched by. */
  astray: string[]
}

/** The best of one collection. */
export const find = told((request: FindRequest): FindReply => {
  const held = files.of(request.dir, undefined)
  if (!held) return { hits: [], behind: false, astray: [] }
  // Words alone need no model: they are searched whatever the vectors are from.
  const { passages, vectors } = request.vector ? held.vectors(request.model) : { passages: held.file, vectors: undefined }
  const astray = new Set<string>()
  const candidates = candidatesFor(request.limit)
  const look = () => passages.snapshot(() => best({ passages, vectors, astray }, request, candidates))
  let hits = look()
  if (astray.size > 0) {
    // Their texts may be of versions that were replaced or erased since that moment: those are not there any more at the next.
    astray.clear()
    hits = look()
  }
  return { hits, behind: vectors?.behind() ?? false, astray: [...astray] }
})

interface Asked {
  passages: Passages
  vectors?: Vectors
  astray: Set<string>
}

function best(asked: Asked, request: FindRequest, candidates: number): Found[] {
  const { weight, limit, min_score, group_by } = request
  const legs = legsOf(asked, request, candidates)
  // Most texts of the candidates are never looked at: they are read a few at a time until enough differ.
  const isNew = distinct(group_by, (found: Found) => {
    const isThere = stands(found, request.texts)
    if (!isThere) asked.astray.add(found.document_id)
    return isThere
  })
  const hits: Found[] = []
  let part: Fused[] = []
  const read = () => {
    const stored = new Map(asked.passages.passages(part.map(({ id }) => id)).map(passage => [passage.id, passage]))
    for (const { id, score, legs } of part) {
      const passage = stored.get(id)
      if (!passage || hits.length === limit) continue
      const found = foundOf(passage, score, legs)
      if (isNew(found)) hits.push(found)
    }
    part = []
  }
  let isMore = Math.max(legs.lexical.length, legs.vector.length) >= candidates
  for (const one of fuse(legs, weight, ids => cosines(asked.passages, request, ids))) {
    if (one.score < min_score) isMore = false
    if (one.score < min_score || hits.length === limit) break
    if (part.push(one) === limit + SPARE) read()
  }
  read()
  return hits.length < limit && isMore && candidates < CANDIDATES_MAX
    ? best(asked, request, Math.min(CANDIDATES_MAX, 4 * candidates))
    : hits
}

function legsOf({ passages, vectors }: Asked, request: FindRequest, limit: number): Legs {
  const { question, weight, documents, words, near } = request
  const { position } = passages.state()
  const isGood = (leg?: LegFound): leg is LegFound => leg !== undefined && leg.limit >= limit && leg.position === position
  const lexical = () => (isGood(words) ? words.found : lexicalLeg(passages, question, limit, documents))
  const vector = () => (isGood(near) ? near.found : nearest(passages, vectors, request, limit))
  return { lexical: weight < 1 ? lexical() : [], vector: weight > 0 ? vector() : [] }
}

function nearest(passages: Passages, vectors: Vectors | undefined, { vector, documents }: NearRequest, limit: number): Scored[] {
  return vector && vectors ? vectorLeg(passages, vectors, vector, limit, documents) : []
}

function cosines(passages: Passages, { vector }: FindRequest, ids: number[]): Scored[] {
  return vector ? scan(vector, passages.vectors(ids), ids.length) : []
}

function foundOf(passage: StoredPassage, score: number, legs: Hit['legs']): Found {
  const { document: document_id, version, ordinal, content, start_byte, end_byte, page, heading } = passage
  const chunk_id = `${document_id}-${version.slice(0, 12)}-${ordinal}`
  const place = { ...(page !== null && { page }), ...(heading !== null && { heading }) }
  return { document_id, version, chunk_id, content, start_byte, end_byte, ...place, score, legs }
}

function stands({ version, start_byte, content }: Found, texts: string | undefined): boolean {
  return texts === undefined || holdsAt(join(texts, version), start_byte, Buffer.from(content))
}

/** What one leg found in a collection, as of one moment. */
export interface LegFound {
  position: number
  /** Candidates that were asked for. */
  limit: number
  found: Scored[]
}

export type WordsRequest = Pick<FindRequest, 'dir' | 'question' | 'limit' | 'documents'>
export type NearRequest = Pick<FindRequest, 'dir' | 'vector' | 'model' | 'limit' | 'documents'>

/** The full-text leg by itself, for whoever still waits for the question's vector. */
export const words = told(({ dir, question, limit, documents }: WordsRequest): LegFound | undefined => {
  const file = files.of(dir, undefined)?.file
  return file && legFound(file, limit, most => lexicalLeg(file, question, most, documents))
})

/** The vector leg by itself, for whoever still waits for the full-text leg. */
export const near = told((request: NearRequest): LegFound | undefined => {
  const held = files.of(request.dir, undefined)?.vectors(request.model)
  return held && legFound(held.passages, request.limit, most => nearest(held.passages, held.vectors, request, most))
})

function legFound(passages: Passages, asked: number, leg: (limit: number) => Scored[]): LegFound {
  const limit = candidatesFor(asked)
  return passages.snapshot(() => ({ position: passages.state().position, limit, found: leg(limit) }))
}

/** Does a little of what the vector index still has to do; true while there is more, and until then the index stays in memory. */
export const step = told(({ dir, model }: { dir: string; model: Model }): boolean => {
  files.hold(undefined)
  const isMore = files.of(dir, undefined)?.vectors(model).vectors.step() ?? false
  if (isMore) files.hold(dir)
  return isMore
})

export interface IndexState {
  passages: number
  /** How often what is visible has changed. */
  position: number
  /** Fingerprints of the models it has vectors of, its own first. */
  models: string[]
  /** By model, what is in memory just now. */
  memory: Record<string, { graph: number; rows: number; bytes: number }>
}

/** What a collection's index is like; nothing is brought into memory for it. */
export const state = told(({ dir }: { dir: string }): IndexState => {
  const held = files.peek(dir)
  const file = held?.file ?? (files.isEnded(dir) ? undefined : openPassages(dir))
  if (!file) return { passages: 0, position: 0, models: [], memory: {} }
  const { published, position } = file.state()
  const { model, beside } = file.models()
  if (!held) file.close()
  return { passages: published, position, models: [model, beside].filter(one => one !== null), memory: held?.sizes() ?? {} }
})

export const close = told(({ dir }: { dir: string }) => files.close(dir))
export const end = told(({ dir }: { dir: string }) => files.end(dir))
