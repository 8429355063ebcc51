// Whom search is measured beside: what is right, the bare index, and servers of others.
import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { existsSync, rmSync, writeFileSync } from 'node:fs'
import { join, resolve } from 'node:path'
import { createInterface } from 'node:readline'
import hnswlib from 'hnswlib-node'
import { efSearch } from '../src/rag/vectors.ts'
import { progress } from './bench-stack.ts'

export const DIMENSIONS = 384
export const TOP = 10
/** As in src/rag/vectors.ts, for all that are compared; so is efSearch. */
export const [M, EF_CONSTRUCTION] = [16, 200]
/** Those of others, as peers.py knows them. */
const PEERS = ['Postgres with pgvector', 'usearch in process', 'LanceDB in process', 'Chroma']
const python = resolve(import.meta.dirname, '../run/peers/bin/python')

export interface Measured {
  /** Places of the vectors found for each question, best first. */
  found: number[][]
  ms: number[]
}

/** Where a passage that was found stands among all vectors: documents are called by the place of their first. */
export const placeOf = ({ document_id, chunk_id }: { document_id: string; chunk_id: string }) =>
  Number(document_id) + Number(chunk_id.split('-').at(-1))

/** One question after the other, asked by `find`, which gives the places it found. */
export async function askEach(asked: Float32Array[], find: (vector: Float32Array) => Promise<number[]>): Promise<Measured> {
  const measured: Measured = { found: [], ms: [] }
  for (const vector of asked) {
    const began = performance.now()
    const found = await find(vector)
    measured.ms.push(performance.now() - began)
    measured.found.push(found)
  }
  return measured
}

/** The ten nearest by comparing every vector, or each of some. */
export function exact(vectors: Float32Array, query: Float32Array, isAmong = (_id: number) => true): number[] {
  const best: { id: number; score: number }[] = []
  for (let id = 0; id < vectors.length / DIMENSIONS; id++) {
    if (!isAmong(id)) continue
    let score = 0
    for (let i = 0, at = id * DIMENSIONS; i < DIMENSIONS; i++, at++) score += (query[i] as number) * (vectors[at] as number)
    if (best.length === TOP && score <= (best.at(-1)?.score ?? 0)) continue
    best.push({ id, score })
    best.sort((a, b) => b.score - a.score)
    best.length = Math.min(best.length, TOP)
  }
  return best.map(({ id }) => id)
}

/** The graph of the collection in `dir`, with nothing around it; one that is too small for a graph gets one. Its labels are the passages' ids, from 1. */
export function bareIndex(dir: string, vectors: Float32Array): hnswlib.HierarchicalNSW {
  const size = vectors.length / DIMENSIONS
  const index = new hnswlib.HierarchicalNSW('ip', DIMENSIONS)
  const own = join(dir, 'vectors.hnsw')
  if (existsSync(own)) index.readIndexSync(own)
  else {
    index.initIndex(size, M, EF_CONSTRUCTION, 100)
    for (let i = 0; i < size; i++) index.addPoint([...vectors.subarray(i * DIMENSIONS, (i + 1) * DIMENSIONS)], i + 1)
  }
  index.setEf(efSearch(size))
  return index
}

export function askBare(index: hnswlib.HierarchicalNSW, asked: Float32Array[]): Measured {
  const measured: Measured = { found: [], ms: [] }
  for (const vector of asked) {
    const began = performance.now()
    measured.found.push(index.searchKnn([...vector], TOP).neighbors.map(label => label - 1))
    measured.ms.push(performance.now() - began)
  }
  return measured
}

/** Those that 'all', or words with commas between them, name; none for no word. Throws for a word that names nobody. */
export function peersNamed(words: string): string[] {
  if (words === 'all') return PEERS
  const found = words.split(',').flatMap(word => {
    const some = PEERS.filter(name => word && name.toLowerCase().includes(word.toLowerCase()))
    if (word && some.length === 0) throw new Error(`No peer is called ${word}: ${PEERS.join(', ')}`)
    return some
  })
  return PEERS.filter(name => found.includes(name))
}

/**
 * The same questions to those of `names`, each over its own interface; see peers.py. Their data lies in `home` meanwhile. The next one is
 * begun when it is asked for, so that whoever looks at one has the machine to himself.
 */
export async function* peers(
  names: string[],
  home: string,
  vectors: Float32Array,
  asked: Float32Array[],
): AsyncGenerator<Measured & { name: string }> {
  if (names.length === 0) return
  if (!existsSync(python)) return progress('No peers: make bench-peers brings them.')
  const [stored, questions] = [join(home, 'vectors.bin'), join(home, 'questions.bin')]
  writeFileSync(stored, vectors)
  writeFileSync(questions, Float32Array.from(asked.flatMap(vector => [...vector])))
  const ef = String(efSearch(vectors.length / DIMENSIONS))
  const args = [join(import.meta.dirname, 'peers.py'), stored, questions, home, ef, ...names]
  const running = spawn(python, args, { stdio: ['pipe', 'pipe', 'inherit'] })
  process.prependOnceListener('exit', () => running.kill()) // it ends the servers it has started, before their data goes
  for await (const line of createInterface(running.stdout)) {
    yield JSON.parse(line)
    running.stdin.write('\n') // until then it waits
  }
  if (running.exitCode === null) await once(running, 'exit')
  if (running.exitCode !== 0) throw new Error('A peer failed')
  rmSync(stored)
}
