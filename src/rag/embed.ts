// The embedding model, in worker threads since it blocks the one it runs on: counts tokens, cuts texts by them, makes unit vectors.
// The only importer of the model library; it never asks the network.
import { readlinkSync } from 'node:fs'
import { setPriority } from 'node:os'
import { isMainThread, workerData } from 'node:worker_threads'
import { AutoTokenizer, env, type FeatureExtractionPipeline, type PreTrainedTokenizer, pipeline } from '@xenova/transformers'
import { type Chunk, chunk } from './chunk.ts'
import { patience } from './courtesy.ts'
import type { Section } from './extract/canonical.ts'
import type { ModelDescription } from './models.ts'

interface Setting {
  modelsDir: string
  model: ModelDescription
  chunkTokens: number
  chunkOverlap: number
  /** What it needs in memory: the weights, or all that counts tokens. */
  part: 'weights' | 'tokenizer'
  /** Whoever waits for an answer goes first. */
  yields: boolean
  /** Passages wait while this says that a question is under way; see courtesy.ts. */
  asking?: Int32Array
}
const setting = workerData as Setting
/** Of a thread that yields: the kernel gives it a third of what it gives the others when there is not enough for all. */
const YIELDING = 5

let loading: Promise<FeatureExtractionPipeline> | undefined
let tokenizing: Promise<PreTrainedTokenizer> | undefined

function prepare() {
  if (isMainThread) throw new Error('Embedding blocks; it runs in a worker thread')
  env.allowRemoteModels = false
  env.localModelPath = setting.modelsDir
}

function tokenizerOf(): Promise<PreTrainedTokenizer> {
  prepare()
  tokenizing ??= AutoTokenizer.from_pretrained(setting.model.name)
  return tokenizing
}

function load(): Promise<FeatureExtractionPipeline> {
  prepare()
  loading ??= pipeline('feature-extraction', setting.model.name, {
    dtype: 'q8',
    session_options: { intraOpNumThreads: 1, interOpNumThreads: 1 },
  })
  return loading
}

/** Resolves when what it needs is in memory. */
export async function ready() {
  await (setting.part === 'weights' ? load() : tokenizerOf())
}

// Every thread of a lane comes by here as it starts, though only one of them is asked whether it is ready. What fails is said by whoever asks.
if (!isMainThread) {
  // On Linux a thread has a priority of its own, and this link names the thread that reads it.
  if (setting.yields && process.platform === 'linux')
    setPriority(Number(readlinkSync('/proc/thread-self').split('/').at(-1)), YIELDING)
  ready().catch(() => {})
}

/** A passage, and how many tokens of it the model reads, the marks around it included. */
export type Cut = Chunk & { tokens: number }

/** Cuts a text into passages of at most the configured number of tokens. */
export async function cut({ text, sections }: { text: string; sections: Section[] }): Promise<Cut[]> {
  const tokenizer = await tokenizerOf()
  const countTokens = (piece: string) => tokenizer.encode(piece).length
  const options = { countTokens, tokensMax: setting.chunkTokens, overlapTokens: setting.chunkOverlap }
  return chunk(text, sections, options).map(one => ({ ...one, tokens: countTokens(one.content) }))
}

/** Tokens of each text, the marks around it included. */
export async function count(texts: string[]): Promise<number[]> {
  const tokenizer = await tokenizerOf()
  return texts.map(text => tokenizer.encode(text).length)
}

/** One unit vector per text, row-major. One text at a time: batches were slower on these processors (measured). */
export async function embed(texts: string[]): Promise<Float32Array> {
  const extractor = await load()
  const { dimensions, pooling } = setting.model
  const giveWay = setting.asking && patience(setting.asking)
  const vectors = new Float32Array(texts.length * dimensions)
  for (const [i, text] of texts.entries()) {
    giveWay?.()
    const tensor = await extractor(text, { pooling, normalize: true })
    vectors.set(tensor.data as Float32Array, i * dimensions)
    tensor.dispose()
  }
  return vectors
}

export interface QueryVector {
  vector: Float32Array
  /** How well the model knows the question's words, 0 to 1: words per piece it cuts them into, and letters in scripts it has learned. */
  familiarity: number
  /** Whose it is. */
  model?: { fingerprint: string; dimensions: number }
}

/** A question's vector, with the prefix the model wants. */
export async function embedQuery(question: string): Promise<QueryVector> {
  const { tokenizer } = await load()
  const vector = await embed([setting.model.queryPrefix + question])
  const words = question.match(/[\p{L}\p{N}]+/gu) ?? []
  const letters = question.match(/\p{L}/gu) ?? []
  const scripts = setting.model.scripts.map(script => `\\p{Script=${script}}`).join('')
  const learned = letters.join('').match(new RegExp(`[${scripts}]`, 'gu')) ?? []
  const pieces = tokenizer.encode(words.join(' ')).length - tokenizer.encode('').length
  const known = letters.length > 0 ? learned.length / letters.length : 1
  return { vector, familiarity: known * Math.min(1, pieces > 0 ? words.length / pieces : 1) }
}
