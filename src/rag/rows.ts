// Vectors side by side in blocks of memory, compared with a query one by one: exact, and for some thousands quicker than any index.
import type { StoredVector } from './store/passages.ts'

export interface Scored {
  id: number
  /** Higher is better. */
  score: number
}

/** Higher first, equal ones by id. */
export const better = (a: Scored, b: Scored) => b.score - a.score || a.id - b.id

/** Rows of a block: as one is full another is begun, and as the last is empty it goes, so that hardly more is held than is used. */
const BLOCK = 1024
/** Bytes by which a row is found, in a list and a map. */
const ROW_BYTES = 50

/** Vectors of a filtered search that are in memory at once. */
const SCANNED = 4096

/** None yet, for vectors of this many float32. */
export function openRows(dimensions: number) {
  const blocks: Float32Array[] = []
  const ids: number[] = []
  const rowOf = new Map<number, number>()

  function row(at: number): Float32Array {
    const within = at % BLOCK
    return (blocks[Math.floor(at / BLOCK)] as Float32Array).subarray(within * dimensions, (within + 1) * dimensions)
  }

  /** The first block grows as it is filled: most collections are small. */
  function makeRoom(at: number) {
    const [last, within] = [Math.floor(at / BLOCK), at % BLOCK]
    const block = blocks[last]
    if (block && (within + 1) * dimensions <= block.length) return
    const grown = new Float32Array((last > 0 ? BLOCK : Math.min(BLOCK, Math.max(16, 2 * at))) * dimensions)
    if (block) grown.set(block)
    blocks[last] = grown
  }

  return {
    get size() {
      return ids.length
    },
    get bytes() {
      return blocks.reduce((sum, { byteLength }) => sum + byteLength, 0) + ids.length * ROW_BYTES
    },
    ids: (): readonly number[] => ids,

    set({ id, vector }: StoredVector) {
      const at = rowOf.get(id) ?? ids.push(id) - 1
      rowOf.set(id, at)
      makeRoom(at)
      const { buffer, byteOffset, byteLength } = row(at)
      new Uint8Array(buffer, byteOffset, byteLength).set(vector)
    },

    get(id: number): Float32Array | undefined {
      const at = rowOf.get(id)
      return at === undefined ? undefined : row(at)
    },

    /** The last row takes the place of the one that goes. False when it was not there. */
    delete(id: number): boolean {
      const at = rowOf.get(id)
      if (at === undefined) return false
      const last = ids.length - 1
      row(at).set(row(last))
      const moved = ids[last] as number
      ids[at] = moved
      rowOf.set(moved, at)
      ids.pop()
      rowOf.delete(id)
      blocks.length = Math.ceil(last / BLOCK)
      return true
    },

    /** The `limit` rows with the greatest dot product, which for unit vectors is the cosine. */
    nearest(query: Float32Array, limit: number): Scored[] {
      const scores = new Float64Array(ids.length)
      for (const [i, block] of blocks.entries()) {
        const first = i * BLOCK
        const end = Math.min(ids.length, first + BLOCK)
        for (let at = first; at < end; at++) scores[at] = dot(query, block, (at - first) * dimensions)
      }
      const least = scores.toSorted()[Math.max(0, ids.length - limit)] ?? 0
      const found: Scored[] = []
      for (const [at, id] of ids.entries()) {
        const score = scores[at] as number
        if (score >= least) found.push({ id, score })
      }
      return found.toSorted(better).slice(0, limit)
    },
  }
}

/** Four sums at once: they do not wait for each other (twice as fast here). */
function dot(query: Float32Array, block: Float32Array, offset: number): number {
  const whole = query.length - (query.length % 4)
  let [a, b, c, d] = [0, 0, 0, 0]
  for (let i = 0; i < whole; i += 4) {
    a += (query[i] as number) * (block[offset + i] as number)
    b += (query[i + 1] as number) * (block[offset + i + 1] as number)
    c += (query[i + 2] as number) * (block[offset + i + 2] as number)
    d += (query[i + 3] as number) * (block[offset + i + 3] as number)
  }
  for (let i = whole; i < query.length; i++) a += (query[i] as number) * (block[offset + i] as number)
  return a + b + c + d
}

/** The nearest of these vectors, some at a time: of the others nothing stays in memory. */
export function scan(dimensions: number, query: Float32Array, stored: Iterable<StoredVector>, limit: number): Scored[] {
  let best: Scored[] = []
  let rows = openRows(dimensions)
  const compare = () => {
    best = [...best, ...rows.nearest(query, limit)].toSorted(better).slice(0, limit)
    rows = openRows(dimensions)
  }
  for (const vector of stored) {
    rows.set(vector)
    if (rows.size === SCANNED) compare()
  }
  compare()
  return best
}
