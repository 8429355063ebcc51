// What the tests of vectors share: collections of vectors that depend on nothing but a number, so that what is right is known.
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import type { Test } from 'tap'
import { type CollectionFile, openCollection } from '../../src/rag/store/collection.ts'
import type { Passages } from '../../src/rag/store/passages.ts'
import { openVectors, type Vectors } from '../../src/rag/vectors.ts'

const DIMENSIONS = 32
export const DOCUMENTS = 30
export const PASSAGES = 50
export const COUNT = DOCUMENTS * PASSAGES
/** Small, so that a graph is made of few vectors. */
const EXACT_MAX = 500
export const queries = Array.from({ length: 50 }, (_, i) => unit(9000 + i))

export function open(file: Passages, dir: string, dimensions = DIMENSIONS) {
  return openVectors(file, { dir, model: 'm', dimensions, exactMax: EXACT_MAX })
}

export function empty(t: Test, removalsMax?: number) {
  const dir = mkdtempSync(join(tmpdir(), 'vectors-'))
  const file = openCollection(dir, 'm', removalsMax)
  t.teardown(() => {
    file.close()
    rmSync(dir, { recursive: true, force: true })
  })
  return { dir, file }
}

export function filled(t: Test, removalsMax?: number) {
  const { dir, file } = empty(t, removalsMax)
  const all = new Map<number, Float32Array>()
  for (let i = 0; i < DOCUMENTS; i++) {
    const vectors = Array.from({ length: PASSAGES }, (_, j) => unit(i * PASSAGES + j))
    add(file, all, `d${i}`, vectors)
  }
  return { dir, file, all, vectors: open(file, dir) }
}

/** Adds one passage per vector and gives the ids they were stored under. */
export function add(file: CollectionFile, all: Map<number, Float32Array>, document: string, vectors: Float32Array[]): number[] {
  const passages = vectors.map((_, i) => ({ start_byte: i, end_byte: i + 1, content: 'x' }))
  file.append(document, 'v', passages, Float32Array.from(vectors.flatMap(vector => [...vector])))
  file.publish(document, 'v')
  const ids = idsOf(file.vectorsOf(JSON.stringify([document])))
  for (const [i, id] of ids.entries()) all.set(id, vectors[i] as Float32Array)
  return ids
}

export function removeFrom(all: Map<number, Float32Array>, file: CollectionFile, document: string) {
  for (const id of idsOf(file.vectorsOf(JSON.stringify([document])))) all.delete(id)
  file.remove(document)
}

export function idsOf(rows: Iterable<{ id: number }>) {
  return [...rows].map(({ id }) => id)
}

/** Every vector compared, one by one. */
export function exact(query: Float32Array, all: Map<number, Float32Array>, limit: number): number[] {
  const cosine = (vector: Float32Array) => vector.reduce((sum, value, i) => sum + value * (query[i] ?? 0), 0)
  const scored = [...all].map(([id, vector]) => ({ id, score: cosine(vector) }))
  return idsOf(scored.toSorted((a, b) => b.score - a.score)).slice(0, limit)
}

export function recall(vectors: Vectors, all: Map<number, Float32Array>, asked = queries): number {
  const shares = asked.map(query => {
    const right = new Set(exact(query, all, 10))
    return idsOf(vectors.search(query, 10)).filter(id => right.has(id)).length / 10
  })
  return shares.reduce((sum, one) => sum + one, 0) / shares.length
}

/** A unit vector that depends on nothing but `seed` (mulberry32). */
export function unit(seed: number, dimensions = DIMENSIONS): Float32Array {
  let state = seed * 2_654_435_761
  const random = () => {
    state = (state + 0x6d2b79f5) | 0
    let mixed = Math.imul(state ^ (state >>> 15), 1 | state)
    mixed = (mixed + Math.imul(mixed ^ (mixed >>> 7), 61 | mixed)) ^ mixed
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 4_294_967_296 - 0.5
  }
  const values = Float32Array.from({ length: dimensions }, random)
  const length = Math.hypot(...values)
  return values.map(value => value / length)
}
