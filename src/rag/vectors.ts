// The vector leg of one collection, kept in memory and in step with its file: an exact scan while it is small, an HNSW graph above that.
// The graph's file is only a cache; without it the graph is made anew from the stored vectors, and what it lacks is scanned meanwhile.
import hnswlib from 'hnswlib-node'
import { better, openRows, type Scored } from './rows.ts'
import { readGraph, removeGraph, writeGraph } from './store/graph-file.ts'
import type { Passages } from './store/passages.ts'

/** Up to here an exact scan takes some 0.3 ms longer than the graph at most, and there is none to make; benchmarks/search.ts asks both. */
export const EXACT_MAX = 500
/** Graph parameters (Malkov & Yashunin 2018). */
const M = 16
const EF_CONSTRUCTION = 200
/**
 * Candidates a search keeps in view, in a graph of `count` points. With 100 whatever the size, recall@10 was 0.84 of a million points in 256
 * clusters and 0.88 of 125,000 as close together, where it is 0.97 with 200 and 0.99 with 300 (benchmarks/clusters.ts).
 */
export const efSearch = (count: number) => Math.max(200, Math.round(0.6 * Math.sqrt(count)))
const SEED = 100
/** Bytes of a point beside its vector: its links and label, and what it is found by. */
const POINT_BYTES = (2 * M + 1) * 4 + 8 + 64
/** Bytes of what there is once for each point there is room for (a lock, a level, a mark), and once for all (65,536 locks). */
const ROOM_BYTES = 40 + 4 + 2
export const GRAPH_BYTES = 65_536 * 40
/** Vectors added to the graph in one step, so that a search waits some 20 ms for it at most. */
const STEP = 25
/** Vectors read from the file at once. */
const READ = 5000
/** Share of removed points above which the graph is made anew. */
const REMOVED_SHARE_MAX = 0.2
/** The cache is written again when it lacks this share of the points. */
const SAVE_SHARE = 0.05

type Graph = InstanceType<typeof hnswlib.HierarchicalNSW>

export interface VectorOptions {
  /** Folder of the collection, where the cache lies. */
  dir: string
  /** Fingerprint of the model the vectors are from. */
  model: string
  dimensions: number
  exactMax?: number
}
export type Vectors = ReturnType<typeof openVectors>

/** The vectors of `file`, read when first asked for. */
export function openVectors(file: Passages, { dir, model, dimensions, exactMax = EXACT_MAX }: VectorOptions) {
  const making = { model, dimensions }
  let position = 0
  /** Vectors that are not in the graph (yet): all of them while the collection is small. */
  let rows = openRows(dimensions)
  let graph: Graph | undefined
  let removed = 0
  let saved = 0
  /** The cache being written. */
  let saving: Generator<void, void> | undefined
  const count = () => (graph?.getCurrentCount() ?? 0) + rows.size

  function startAnew() {
    position = 0
    rows = openRows(dimensions)
    if (graph) free(graph)
    graph = undefined
    removed = 0
    saved = 0
  }

  /** Brings memory in step with the file. */
  const follow = () => file.snapshot(catchUp)

  function catchUp() {
    const state = file.state()
    if (state.position === position) return
    if (position === 0 && state.published > exactMax) adopt(state.position)
    if (state.position < position || !drop()) startAnew()
    let at = { published: position, id: Number.MAX_SAFE_INTEGER }
    for (let page = READ; page === READ; ) {
      const vectors = file.vectorsAfter(at.published, at.id, READ)
      for (const vector of vectors) rows.set(vector)
      at = vectors.at(-1) ?? at
      page = vectors.length
    }
    position = state.position
  }

  /** Starts from the cache, if there is a good one that is not ahead of the file. */
  function adopt(newest: number) {
    const found = readGraph(dir, making, path => {
      const graph = new hnswlib.HierarchicalNSW('ip', dimensions)
      graph.readIndexSync(path)
      return graph
    })
    if (!found || found.position > newest) return
    graph = found.graph
    position = found.position
    saved = graph.getCurrentCount()
  }

  /** Lets go of what was removed since; false when that is not known any more, or when too much of the graph is gone. */
  function drop(): boolean {
    if (position === 0) return true
    const gone = file.removedSince(position)
    for (const id of gone ?? []) {
      if (!rows.delete(id) && graph && markRemoved(graph, id)) removed += 1
    }
    return gone !== undefined && removed <= REMOVED_SHARE_MAX * (graph?.getCurrentCount() ?? 0)
  }

  function add(graph: Graph, ids: number[]) {
    if (graph.getMaxElements() < graph.getCurrentCount() + ids.length) graph.resizeIndex(Math.ceil(1.5 * count()))
    for (const id of ids) {
      graph.addPoint([...(rows.get(id) ?? [])], id)
      rows.delete(id)
    }
  }

  /** Writes the cache, unless what was removed would be in it, then or by the time it is written. */
  function* save(graph: Graph) {
    if (removed > 0 || graph.getCurrentCount() - saved <= SAVE_SHARE * count()) return
    const written = position
    saved = graph.getCurrentCount()
    yield* writeGraph(dir, making, written, path => graph.writeIndexSync(path))
    if (file.removedSince(written)?.length !== 0) removeGraph(dir)
  }

  /** Takes the next step of writing the cache; true while there are more. */
  function advance(): boolean {
    if (saving?.next().done) saving = undefined
    return saving !== undefined
  }

  return {
    /** Passages nearest to `query`, best first. Exact for what the graph does not hold. */
    search(query: Float32Array, limit: number): Scored[] {
      follow()
      const near = graph ? searchGraph(graph, query, limit) : []
      return [...near, ...rows.nearest(query, limit)].toSorted(better).slice(0, limit)
    },

    /** Whether there are vectors that `step` should move into the graph. */
    behind: () => rows.size > 0 && count() > exactMax,

    /** Moves a few vectors into the graph, or writes a part of the cache; true while there is more to do. */
    step(): boolean {
      if (saving) return advance() || rows.size > 0
      follow()
      if (count() <= exactMax) return false
      graph ??= newGraph(dimensions, count())
      const waiting = rows.ids().slice(-STEP)
      if (waiting.length > 0) add(graph, waiting)
      else saving = save(graph)
      return waiting.length > 0 || advance()
    },

    /** Gives back the memory at once; asked again, it begins anew. */
    close: startAnew,

    /** Vectors in the graph and outside it, and what they take in memory. */
    size: () => ({
      graph: graph?.getCurrentCount() ?? 0,
      rows: rows.size,
      bytes: rows.bytes + (graph ? bytesOf(graph, dimensions) : 0),
    }),
  }
}

function newGraph(dimensions: number, capacity: number): Graph {
  const graph = new hnswlib.HierarchicalNSW('ip', dimensions)
  graph.initIndex(Math.ceil(capacity * 1.5), M, EF_CONSTRUCTION, SEED)
  return graph
}

/** Leaves nothing in it: what it takes V8 does not see, and would keep for as long as it has no need of memory itself. */
export function free(graph: Graph) {
  graph.initIndex(1)
}

/** Room for vectors and links takes no memory before they come: it is not touched. */
function bytesOf(graph: Graph, dimensions: number): number {
  return graph.getCurrentCount() * (4 * dimensions + POINT_BYTES) + graph.getMaxElements() * ROOM_BYTES + GRAPH_BYTES
}

/**
 * Whether `graph` held the point until now. It throws for one it never held or that is marked already, such as a passage that came and went
 * between two looks; asking it takes 20 µs for such a one, where a set of all ids would take tens of bytes for each.
 */
function markRemoved(graph: Graph, id: number): boolean {
  try {
    graph.markDelete(id)
    return true
  } catch {
    return false
  }
}

function searchGraph(graph: Graph, query: Float32Array, limit: number): Scored[] {
  const wanted = Math.min(limit, graph.getCurrentCount())
  if (wanted === 0) return []
  graph.setEf(Math.max(efSearch(graph.getCurrentCount()), wanted))
  const { neighbors, distances } = graph.searchKnn([...query], wanted)
  return neighbors.map((id, i) => ({ id, score: 1 - (distances[i] as number) }))
}
