// The vector leg of one collection, kept in memory and in step with its file: an exact scan while it is small, an HNSW graph above that.
// The graph's file is a cache: written beside a checksum, believed only when everything fits, made anew from the stored vectors otherwise.
import { createHash } from 'node:crypto'
import { closeSync, fsyncSync, openSync, readFileSync, renameSync, rmSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import hnswlib from 'hnswlib-node'
import type { CollectionFile, StoredVector } from './store/collection.ts'

/** Up to here an exact scan takes a few milliseconds (4 ms for 10,000 × 384, measured) and needs no graph. */
export const EXACT_MAX = 10_000
/** Graph parameters (Malkov & Yashunin 2018): recall@10 0.99 on 13k real vectors with these, against 0.84 with the library's ef of 10. */
const M = 16
const EF_CONSTRUCTION = 200
const EF_SEARCH = 100
const SEED = 100
/** Vectors added to the graph in one step, about 70 ms of work. */
const STEP = 100
/** Vectors read from the file at once. */
const READ = 5000
/** Share of removed points above which the graph is made anew. */
const REMOVED_SHARE_MAX = 0.2
/** The cache is written again when it lacks this share of the points. */
const SAVE_SHARE = 0.05

export interface Scored {
  id: number
  /** Cosine. */
  score: number
}
type Graph = InstanceType<typeof hnswlib.HierarchicalNSW>

/** Cosine of two unit vectors. */
export function cosine(a: Float32Array, b: Float32Array): number {
  let sum = 0
  for (let i = 0; i < a.length; i++) sum += (a[i] as number) * (b[i] as number)
  return sum
}

/** A stored vector as numbers. */
export function floats({ vector }: StoredVector): Float32Array {
  return new Float32Array(vector.buffer.slice(vector.byteOffset, vector.byteOffset + vector.byteLength))
}

/** The best `limit` of `vectors`, exactly; equal scores in id order. */
export function scan(query: Float32Array, vectors: Iterable<[number, Float32Array]>, limit: number): Scored[] {
  const found: Scored[] = []
  for (const [id, vector] of vectors) found.push({ id, score: cosine(query, vector) })
  return found.toSorted((a, b) => b.score - a.score || a.id - b.id).slice(0, limit)
}

export function openVectors(file: CollectionFile, dir: string, model: string, exactMax = EXACT_MAX) {
  let position = 0
  /** Vectors that are not in the graph (yet): all of them while the collection is small. */
  let flat = new Map<number, Float32Array>()
  let graph: Graph | undefined
  let removed = 0
  let saved = 0
  const cache = cacheOf(dir, model)

  function reset() {
    position = 0
    flat = new Map()
    graph = undefined
    removed = 0
    saved = 0
  }

  /** Brings memory in step with the file. */
  function follow(dimensions: number) {
    const state = file.state()
    if (state.position === position) return
    if (position === 0 && state.published > exactMax) {
      const found = cache.load(dimensions)
      if (found && found.position <= state.position) {
        graph = found.graph
        position = found.position
        saved = graph.getCurrentCount()
      }
    }
    const gone = file.removedSince(position)
    if (!gone || state.position < position) {
      reset()
      return follow(dimensions)
    }
    for (const id of gone) {
      if (flat.delete(id) || !graph) continue
      graph.markDelete(id)
      removed += 1
    }
    let after = 0
    while (true) {
      const page = file.vectorsSince(position, after, READ)
      for (const row of page) flat.set(row.id, floats(row))
      after = page.at(-1)?.id ?? after
      if (page.length < READ) break
    }
    position = state.position
    if (graph && removed > REMOVED_SHARE_MAX * graph.getCurrentCount()) {
      reset()
      follow(dimensions)
    }
  }

  return {
    /** Passages nearest to `query`, best first. Exact for what the graph does not hold. */
    search(query: Float32Array, limit: number): Scored[] {
      follow(query.length)
      const near = graph ? searchGraph(graph, query, limit) : []
      return [...near, ...scan(query, flat, limit)].toSorted((a, b) => b.score - a.score || a.id - b.id).slice(0, limit)
    },

    /** Moves a few vectors into the graph, or writes the cache; true while there is more to do. */
    step(dimensions: number): boolean {
      follow(dimensions)
      const count = (graph?.getCurrentCount() ?? 0) + flat.size
      if (count <= exactMax) return false
      graph ??= newGraph(dimensions, count)
      const waiting = [...flat.keys()].slice(0, STEP)
      if (waiting.length === 0) {
        if (removed === 0 && graph.getCurrentCount() - saved > SAVE_SHARE * count) {
          cache.save(graph, dimensions, position)
          saved = graph.getCurrentCount()
        }
        return false
      }
      if (graph.getMaxElements() < graph.getCurrentCount() + waiting.length)
        graph.resizeIndex(Math.ceil((graph.getCurrentCount() + STEP) * 1.5))
      for (const id of waiting) {
        graph.addPoint([...(flat.get(id) ?? [])], id)
        flat.delete(id)
      }
      return true
    },

    /** What is held: vectors in the graph and outside it. */
    size: () => ({ graph: graph?.getCurrentCount() ?? 0, flat: flat.size, position }),
  }
}
export type Vectors = ReturnType<typeof openVectors>

function newGraph(dimensions: number, capacity: number): Graph {
  const graph = new hnswlib.HierarchicalNSW('ip', dimensions)
  graph.initIndex(Math.ceil(capacity * 1.5), M, EF_CONSTRUCTION, SEED)
  graph.setEf(EF_SEARCH)
  return graph
}

function searchGraph(graph: Graph, query: Float32Array, limit: number): Scored[] {
  const wanted = Math.min(limit, graph.getCurrentCount())
  if (wanted === 0) return []
  graph.setEf(Math.max(EF_SEARCH, wanted))
  const { neighbors, distances } = graph.searchKnn([...query], wanted)
  return neighbors.map((id, i) => ({ id, score: 1 - (distances[i] as number) }))
}

interface Header {
  model: string
  dimensions: number
  position: number
  sha256: string
}

/** The graph on disk: `vectors.hnsw`, believed only with the `vectors.json` written after it. */
function cacheOf(dir: string, model: string) {
  const [body, header] = [join(dir, 'vectors.hnsw'), join(dir, 'vectors.json')]
  return {
    load(dimensions: number): { graph: Graph; position: number } | undefined {
      try {
        const told = JSON.parse(readFileSync(header, 'utf8')) as Header
        if (told.model !== model || told.dimensions !== dimensions || told.sha256 !== digest(body)) return undefined
        const graph = new hnswlib.HierarchicalNSW('ip', dimensions)
        graph.readIndexSync(body)
        graph.setEf(EF_SEARCH)
        return { graph, position: told.position }
      } catch {
        return undefined
      }
    },
    save(graph: Graph, dimensions: number, position: number) {
      rmSync(header, { force: true })
      graph.writeIndexSync(`${body}.new`)
      durable(`${body}.new`, body)
      writeFileSync(`${header}.new`, JSON.stringify({ model, dimensions, position, sha256: digest(body) } satisfies Header))
      durable(`${header}.new`, header)
    },
  }
}

const digest = (path: string) => createHash('sha256').update(readFileSync(path)).digest('hex')

/** Gives a file its name once its bytes are on disk. */
function durable(from: string, to: string) {
  const file = openSync(from, 'r')
  fsyncSync(file)
  closeSync(file)
  renameSync(from, to)
}
