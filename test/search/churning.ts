// A collection whose documents come, change and go, many times its size, while it is searched. Vectors are known, so that what is right is known.
import type { Test } from 'tap'
import { search } from '../../src/rag/search.ts'
import { GRAPH_BYTES } from '../../src/rag/vectors.ts'
import { chunkOf, folder, lanesFor } from './lanes.ts'

/** Passages above which a graph is used, far fewer than usual. */
const EXACT_MAX = 20
const DIMENSIONS = 384

/**
 * Keeps `capacity` documents alive while `rounds` documents come, change or go, and searches all the time: each live document is the first
 * for its own vector, none that went is ever found, and the index takes no more memory than a few times what lives.
 */
export async function churn(t: Test, capacity: number, rounds: number) {
  const lanes = await lanesFor(t, { exactMax: EXACT_MAX })
  const collection = folder(t)
  const live = new Map<string, { seed: number; content: string }>()
  const vectors = new Map<string, Float32Array>()
  const known = {
    find: lanes.find,
    words: lanes.words,
    near: lanes.near,
    embedQuery: async (query: string) => ({ vector: vectors.get(query) ?? direction(0), familiarity: 1 }),
  }
  const ask = (query: string, mode: 'vector' | 'lexical') => search(known, { query, mode, top_k: 5, collections: [collection] })
  let seed = 0
  let wrong = 0
  let bytesMost = 0

  async function put(document: string) {
    seed += 1
    const content = `word${seed} of ${document}`
    vectors.set(content, direction(seed))
    await lanes.write.append(collection.dir, document, `v${seed}`, [chunkOf(content)], direction(seed))
    await lanes.write.publish(collection.dir, document, `v${seed}`)
    live.set(document, { seed, content })
  }

  async function check(document: string, mode: 'vector' | 'lexical') {
    const { content, seed } = live.get(document) ?? { content: '', seed: 0 }
    const hits = await ask(mode === 'vector' ? content : `word${seed}`, mode)
    if (hits[0]?.content !== content) wrong += 1
    if (hits.some(hit => live.get(hit.document_id)?.content !== hit.content)) wrong += 1
  }

  for (let i = 0; i < capacity; i++) await put(`d${i}`)
  for (let round = 0; round < rounds; round++) {
    const document = `d${(round * 7) % capacity}`
    const gone = live.get(document)
    if (round % 3 === 0) {
      live.delete(document)
      await lanes.write.remove(collection.dir, document)
      if ((await ask(`word${gone?.seed}`, 'lexical')).length > 0) wrong += 1
    }
    await put(document)
    vectors.delete(gone?.content ?? '')
    await check(document, round % 2 === 0 ? 'vector' : 'lexical')
    const [memory] = Object.values((await lanes.index(collection.dir)).memory)
    bytesMost = Math.max(bytesMost, memory?.bytes ?? 0)
  }
  for (const document of live.keys()) await check(document, 'vector')
  t.equal(wrong, 0, `${rounds} changes of ${capacity} documents`)
  t.equal((await lanes.index(collection.dir)).passages, capacity)
  const most = GRAPH_BYTES + 6 * capacity * DIMENSIONS * Float32Array.BYTES_PER_ELEMENT
  t.ok(bytesMost > 0 && bytesMost < most, `${bytesMost} bytes at most, ${most} allowed`)
}

/** A unit vector that depends on nothing but `seed`. */
function direction(seed: number): Float32Array {
  let state = (seed * 2_654_435_761) >>> 0
  const values = Float32Array.from({ length: DIMENSIONS }, () => {
    state = (Math.imul(state ^ (state >>> 15), 0x2c1b3c6d) + 0x6d2b79f5) >>> 0
    return state / 2 ** 32 - 0.5
  })
  const length = Math.hypot(...values)
  return values.map(value => value / length)
}
