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
        dots(query, block, scores.subarray(i * BLOCK, (i + 1) * BLOCK))
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

/** Dot products of `query` with as many rows of `block` as `scores` has room for. Four rows at once: their sums do not wait for each other. */
function dots(query: Float32Array, block: Float32Array, scores: Float64Array) {
  const width = query.length
  const last = scores.length - (scores.length % 4)
  for (let row = 0; row < last; row += 4) {
    let a = 0
    let b = 0
    let c = 0
    let d = 0
    for (let i = 0, at = row * width; i < width; i++, at++) {
      const x = query[i] as number
      a += x * (block[at] as number)
      b += x * (block[at + width] as number)
      c += x * (block[at + 2 * width] as number)
      d += x * (block[at + 3 * width] as number)
    }
    scores[row] = a
    scores[row + 1] = b
    scores[row + 2] = c
    scores[row + 3] = d
  }
  for (let row = last; row < scores.length; row++) {
    let sum = 0
    for (let i = 0, at = row * width; i < width; i++, at++) sum += (query[i] as number) * (block[at] as number)
    scores[row] = sum
  }
}

/** The nearest of these vectors, some at a time: of the others nothing stays in memory. */
export function scan(query: Float32Array, stored: Iterable<StoredVector>, limit: number): Scored[] {
  let best: Scored[] = []
  let rows = openRows(query.length)
  const compare = () => {
    best = [...best, ...rows.nearest(query, limit)].toSorted(better).slice(0, limit)
    rows = openRows(query.length)
  }
  for (const vector of stored) {
    rows.set(vector)
    if (rows.size === SCANNED) compare()
  }
  compare()
  return best
}
