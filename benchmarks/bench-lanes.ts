// Lanes as the service opens them, for what is measured below its doors.
import { existsSync } from 'node:fs'
import { join, resolve } from 'node:path'
import { setTimeout as pause } from 'node:timers/promises'
import { ragConfig } from '../src/rag/config.ts'
import { type Lanes, openLanes } from '../src/rag/lanes.ts'
import { EXACT_MAX } from '../src/rag/vectors.ts'
import { progress } from './bench-stack.ts'
import { question } from './clusters.ts'

export const modelsDir = resolve(import.meta.dirname, '../run/models')
/** Between two looks at a graph, and two words about it, in milliseconds. */
const LOOK_MS = 200
const TELL_MS = 15_000

/** `exactMax` is the size up to which a collection is scanned, if not the service's own. */
export function openBenchLanes(exactMax?: number): Promise<Lanes> {
  const config = ragConfig(process.env)
  return openLanes({
    modelsDir,
    model: config.RAG_EMBEDDING_MODEL,
    embedThreads: config.RAG_EMBED_THREADS,
    chunkTokens: config.RAG_CHUNK_SIZE,
    chunkOverlap: config.RAG_CHUNK_OVERLAP,
    exactMax,
  })
}

/** Resolves when a collection of `size` passages has all its vectors in memory, in its graph and that on disk if it is large enough for one. */
export async function settled(lanes: Lanes, dir: string, size: number, exactMax = EXACT_MAX) {
  const { vector } = question(1, 0)
  let before: number | undefined
  for (let told = performance.now(); ; await pause(LOOK_MS)) {
    const [memory] = Object.values((await lanes.index(dir)).memory)
    // What is asked is brought up to date; while it gets on it is left alone, since a question scans what the graph lacks.
    if (memory?.graph === before) await lanes.find({ dir, question: '', vector, weight: 1, limit: 1, min_score: 0 })
    // The graph is written to its file in the steps after the last vector, and is whole there when it is described.
    if (size > exactMax ? before === size && existsSync(join(dir, 'vectors.json')) : memory?.rows === size) return
    before = memory?.graph
    if (performance.now() - told < TELL_MS) continue
    told = performance.now()
    progress(`${size} chunks: ${memory?.graph} in the graph`)
  }
}
