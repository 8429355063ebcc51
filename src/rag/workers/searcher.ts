// The thread that searches: both legs of one collection at a time, with its vectors in memory.
import { workerData } from 'node:worker_threads'
import { lexicalLeg } from '../lexical.ts'
import type { StoredPassage } from '../store/collection.ts'
import { cosine, floats, openVectors, type Scored, scan } from '../vectors.ts'
import { openFiles } from './open-files.ts'
import { told } from './told.ts'

const { fingerprint } = workerData as { fingerprint: string }
const files = openFiles(fingerprint, (file, dir) => openVectors(file, dir, fingerprint))

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
}

/** Candidates of both legs with their passages. */
export const legs = told(({ dir, question, vector, lexical: wantsLexical, limit, documents }: LegsRequest): Legs => {
  const { file, extra: vectors } = files.of(dir)
  const lexical = wantsLexical ? lexicalLeg(file, question, limit, documents) : []
  const near = vector ? (documents ? scan(vector, within(documents), limit) : vectors.search(vector, limit)) : []
  const known = new Set(near.map(({ id }) => id))
  const rest = lexical.map(({ id }) => id).filter(id => !known.has(id))
  const cosines = vector ? file.vectors(rest).map(row => ({ id: row.id, score: cosine(vector, floats(row)) })) : []
  return { lexical, vector: near, cosines, passages: file.passages([...known, ...rest]) }

  function* within(ids: string[]): Generator<[number, Float32Array]> {
    for (const row of file.vectorsOf(ids)) yield [row.id, floats(row)]
  }
})

/** Does a little of what the vector index still has to do; true while there is more. */
export const step = told(({ dir, dimensions }: { dir: string; dimensions: number }) => files.of(dir).extra.step(dimensions))

/** Position and counts of a collection's file and of its vectors in memory. */
export const size = told(({ dir }: { dir: string }) => ({ ...files.of(dir).file.state(), ...files.of(dir).extra.size() }))

export const close = told(({ dir }: { dir: string }) => files.close(dir))
