// The thread that searches: both legs of one collection at a time, as of one moment, with its vectors in memory.
import { workerData } from 'node:worker_threads'
import { lexicalLeg } from '../lexical.ts'
import { openRows, type Scored } from '../rows.ts'
import { openPassages } from '../store/collection.ts'
import type { StoredPassage, StoredVector } from '../store/passages.ts'
import { openVectors } from '../vectors.ts'
import { openFiles } from './open-files.ts'
import { told } from './told.ts'

/** Memory the vectors of all collections may take: some 600,000 of 384 numbers. A single larger collection is still searched. */
const VECTOR_BYTES_MAX = 2 ** 30

const { fingerprint, dimensions } = workerData as { fingerprint: string; dimensions: number }
const files = openFiles(open, ({ vectors }) => vectors.size().bytes, VECTOR_BYTES_MAX)

function open(dir: string) {
  const file = openPassages(dir, fingerprint)
  return file && { file, vectors: openVectors(file, { dir, model: fingerprint, dimensions }), close: file.close }
}

export interface LegsRequest {
  dir: string
  question: string
  /** Unit length; absent when the vector leg is not asked for. */
  vector?: Float32Array
  lexical: boolean
  /** Candidates per leg. */
  limit: number
  /** Only passages of these documents. */
  documents?: string[]
}
export interface Legs {
  lexical: Scored[]
  vector: Scored[]
  /** Cosines of what only the lexical leg found. */
  cosines: Scored[]
  passages: StoredPassage[]
  /** Whether the vector index has work to do. */
  behind: boolean
}
const nothing: Legs = { lexical: [], vector: [], cosines: [], passages: [], behind: false }

/** Candidates of both legs with their passages. */
export const legs = told(({ dir, question, vector, lexical: isLexical, limit, documents }: LegsRequest): Legs => {
  const held = files.of(dir)
  if (!held) return nothing
  const { file, vectors } = held
  return file.snapshot(() => {
    const lexical = isLexical ? lexicalLeg(file, question, limit, documents) : []
    const vectorLeg = (query: Float32Array) =>
      documents ? nearest(query, file.vectorsOf(documents), limit) : vectors.search(query, limit)
    const near = vector ? vectorLeg(vector) : []
    const found = new Set(near.map(({ id }) => id))
    const rest = lexical.map(({ id }) => id).filter(id => !found.has(id))
    const cosines = vector ? nearest(vector, file.vectors(rest), rest.length) : []
    return { lexical, vector: near, cosines, passages: file.passages([...found, ...rest]), behind: vectors.behind() }
  })
})

function nearest(query: Float32Array, stored: StoredVector[], limit: number): Scored[] {
  const rows = openRows(dimensions)
  for (const vector of stored) rows.set(vector)
  return rows.nearest(query, limit)
}

/** Does a little of what the vector index still has to do; true while there is more. */
export const step = told(({ dir }: { dir: string }) => files.of(dir)?.vectors.step() ?? false)

export const close = told(({ dir }: { dir: string }) => files.close(dir))
