// Made-up passages for measuring size: unit vectors around seeded centres, so that neighbours are real neighbours, and texts whose words are as
// unevenly frequent as in a language (Zipf's law).

export interface Made {
  texts: string[]
  /** Row-major, unit length. */
  vectors: Float32Array
}
/** What they are made of when a real model is to read them; otherwise made-up words and centres. */
export interface Manner {
  /** The commonest first. */
  words?: readonly string[]
  centres?: readonly Float32Array[]
}

const DIMENSIONS = 384
const CLUSTERS = 256
/** Length of the noise around a centre, beside the centre's own length of 1. */
const NOISE = 0.7
const WORDS = 20_000
const WORDS_PER_TEXT = 100

/** Passages `from`, `from + 1`, … of the endless sequence of a seed: the same ones however they are asked for. */
export function passages(seed: number, from: number, count: number, { words, centres }: Manner = {}): Made {
  const vectors = new Float32Array(count * DIMENSIONS)
  const texts: string[] = []
  for (let i = 0; i < count; i++) {
    const next = generator(seed * 1_000_003 + from + i)
    const cluster = Math.floor(next() * CLUSTERS)
    vectors.set(around(centres?.[cluster % centres.length] ?? centreOf(cluster, seed), next), i * DIMENSIONS)
    texts.push(textOf(next, WORDS_PER_TEXT, words))
  }
  return { texts, vectors }
}

/** A question of a few words of the same language, and a vector of its own. */
export function question(seed: number, number: number, { words }: Manner = {}): { query: string; vector: Float32Array } {
  const next = generator(seed * 7_919 + number + 500_000_000)
  return { query: textOf(next, 6, words), vector: around(centreOf(Math.floor(next() * CLUSTERS), seed), next) }
}

const centres = new Map<number, Float32Array>()

function centreOf(cluster: number, seed: number): Float32Array {
  const key = seed * CLUSTERS + cluster
  const centre = centres.get(key) ?? unit(noise(generator(key + 900_000_000)))
  centres.set(key, centre)
  return centre
}

function around(centre: Float32Array, next: () => number): Float32Array {
  const away = unit(noise(next))
  return unit(centre.map((value, i) => value + NOISE * (away[i] ?? 0)))
}

/** Normal deviates, by the polar form of Box and Muller. */
function noise(next: () => number): Float32Array {
  return Float32Array.from({ length: DIMENSIONS }, () => Math.sqrt(-2 * Math.log(1 - next())) * Math.cos(2 * Math.PI * next()))
}

function unit(vector: Float32Array): Float32Array {
  const length = Math.hypot(...vector)
  return vector.map(value => value / length)
}

function textOf(next: () => number, count: number, words?: readonly string[]): string {
  const known = words?.length ?? WORDS
  const ranks = Array.from({ length: count }, () => Math.floor(known ** next()) - 1)
  return ranks.map(rank => words?.[rank] ?? `w${rank}`).join(' ')
}

/** Numbers in [0, 1) that repeat for a seed (Vigna's splitmix, in 32 bits). */
export function generator(seed: number): () => number {
  let state = seed >>> 0
  return () => {
    state = (state + 0x9e3779b9) >>> 0
    let mixed = Math.imul(state ^ (state >>> 16), 0x21f0aaad)
    mixed = Math.imul(mixed ^ (mixed >>> 15), 0x735a2d97)
    return ((mixed ^ (mixed >>> 15)) >>> 0) / 2 ** 32
  }
}
