// What search is measured on: made-up passages with their vectors, or a folder of real text, cut and embedded as rag does it.
import { basename } from 'node:path'
import { documents, judgedQueries } from './beir.ts'
import { openBenchLanes } from './bench-lanes.ts'
import { progress } from './bench-stack.ts'
import { type Made, passages, question } from './clusters.ts'
import { DIMENSIONS } from './nearest.ts'

/** Passages of a text that get their vectors at once. */
const EMBEDDED = 64

export interface Collection {
  name: string
  size: number
  /** Passages from one on. */
  made: (from: number, count: number) => Made
  /** Vectors of questions. */
  asked: Float32Array[]
}

export function madeUp(size: number, questions: number, seed: number): Collection {
  const asked = Array.from({ length: questions }, (_, i) => question(seed, i).vector)
  return { name: `${size} chunks`, size, asked, made: (from, count) => passages(seed, from, count) }
}

/** The texts of a folder cut and embedded as rag does it, and its questions. */
export async function ofText(folder: string): Promise<Collection> {
  const lanes = await openBenchLanes()
  const texts: string[] = []
  for (const { text } of documents(folder)) texts.push(...(await lanes.chunk(text, [])).map(({ content }) => content))
  const vectors = new Float32Array(texts.length * DIMENSIONS)
  for (let at = 0; at < texts.length; at += EMBEDDED) {
    vectors.set(await lanes.embedPassages(texts.slice(at, at + EMBEDDED)), at * DIMENSIONS)
    if (at % (16 * EMBEDDED) === 0) progress(`${basename(folder)}: ${at} of ${texts.length} passages embedded`)
  }
  const asked: Float32Array[] = []
  for (const { text } of judgedQueries(folder)) asked.push((await lanes.embedQuery(text)).vector)
  await lanes.close()
  const part = (from: number, count: number) => ({
    texts: texts.slice(from, from + count),
    vectors: vectors.slice(from * DIMENSIONS, (from + count) * DIMENSIONS),
  })
  return { name: `${texts.length} chunks of ${basename(folder)}`, size: texts.length, asked, made: part }
}
