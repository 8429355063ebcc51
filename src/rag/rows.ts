// Vectors side by side in one block of memory, compared with a query one by one: exact, and for some thousands quicker than any index.
import type { StoredVector } from './store/passages.ts'

export interface Scored {
  id: number
  /** Higher is better. */
  score: number
}

/** Higher first, equal ones by id. */
export const better = (a: Scored, b: Scored) => b.score - a.score || a.id - b.id

/** An empty block for vectors of this many float32; it grows as it is filled. */
export function openRows(dimensions: number) {
  let block = new Float32Array(0)
  const ids: number[] = []
  const rowOf = new Map<number, number>()
  const row = (at: number) => block.subarray(at * dimensions, (at + 1) * dimensions)

  return {
    get size() {
      return ids.length
    },
    get bytes() {
      return block.byteLength
    },
    ids: (): readonly number[] => ids,

    set({ id, vector }: StoredVector) {
      const at = rowOf.get(id) ?? ids.push(id) - 1
      rowOf.set(id, at)
      if ((at + 1) * dimensions > block.length) {
        const grown = new Float32Array(Math.max(16, 2 * at) * dimensions)
        grown.set(block)
        block = grown
      }
      new Uint8Array(block.buffer).set(vector, at * dimensions * block.BYTES_PER_ELEMENT)
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
      block.copyWithin(at * dimensions, last * dimensions, (last + 1) * dimensions)
      const moved = ids[last] as number
      ids[at] = moved
      rowOf.set(moved, at)
      ids.pop()
      rowOf.delete(id)
      if (ids.length === 0) block = new Float32Array(0) // after all have moved into a graph it would stay as large as that
      return true
    },

    /** The `limit` rows with the greatest dot product, which for unit vectors is the cosine. */
    nearest(query: Float32Array, limit: number): Scored[] {
      const scores = new Float64Array(ids.length)
      for (let at = 0; at < ids.length; at++) scores[at] = dot(query, block, at * dimensions)
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
