// The embedding models rag knows, and what belongs to each: nothing about pooling, prefixes or windows is decided anywhere else.
import { createHash } from 'node:crypto'
import { readFile } from 'node:fs/promises'
import { join } from 'node:path'
import { failure } from '../platform/errors.ts'

export interface ModelDescription {
  name: string
  dimensions: number
  pooling: 'mean' | 'cls'
  /** Tokens it was trained to read, marks included. */
  window: number
  queryPrefix: string
  /** Scripts it has learned; letters of others say little to it. */
  scripts: string[]
  /** SHA-256 of the weights; an index made with others is not comparable. */
  weights: string
}

/** Sources: the models' cards on the hub; hashes of the int8 weights, computed from the files. */
export const models: readonly ModelDescription[] = [
  {
    name: 'Xenova/all-MiniLM-L6-v2',
    dimensions: 384,
    pooling: 'mean',
    window: 256,
    queryPrefix: '',
    scripts: ['Latin'],
    weights: 'afdb6f1a0e45b715d0bb9b11772f032c399babd23bfc31fed1c170afc848bdb1',
  },
  {
    name: 'Xenova/bge-small-en-v1.5',
    dimensions: 384,
    pooling: 'cls',
    window: 512,
    queryPrefix: 'Represent this sentence for searching relevant passages: ',
    scripts: ['Latin'],
    weights: '6c9c6101a956d62dfb5e7190c538226c0c5bb9cb27b651234b6df063ee7dbfe4',
  },
]

/** The model with this name. Throws a sentence that lists those there are. */
export function describeModel(name: string, known = models): ModelDescription {
  const found = known.find(model => model.name === name)
  if (!found)
    throw new Error(`RAG_EMBEDDING_MODEL ${name} is not known; choose one of ${known.map(model => model.name).join(', ')}`)
  return found
}

/** Reads the weights in `modelsDir` and makes sure they are this model's. Throws a sentence that says what to do. */
export async function requireWeights(modelsDir: string, { name, weights }: ModelDescription) {
  const path = join(modelsDir, name, 'onnx/model_quantized.onnx')
  const bytes = await readFile(path).catch(cause => {
    throw new Error(`There are no weights at ${path}; bring them with make setup`, { cause })
  })
  if (createHash('sha256').update(bytes).digest('hex') !== weights)
    throw new Error(`The weights at ${path} are not those of ${name}; remove that folder and bring them with make setup`)
}

/** What an index remembers of the model its vectors came from. */
export const fingerprint = ({ name, weights }: ModelDescription) => `${name}@${weights.slice(0, 16)}`

/** Refuses to mix vectors of two models in one index. */
export function requireSameModel(stored: string, current: string) {
  if (stored === current) return
  throw failure('conflict', `This collection was embedded with ${stored}, the service now runs ${current}; embed it again first`)
}
