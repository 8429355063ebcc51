// The embedding models in memory: the one that serves, and beside it a second one while a change of model is tried or can be taken back.
// Each has threads of its own for documents, for what is counted in tokens, and for questions.
import type { QueryVector } from './embed.ts'
import { describeModel, fingerprint, type ModelDescription, requireWeights } from './models.ts'

/** Questions that may wait for their vector, and batches of documents; far more than the ingest queue hands over at once. */
const QUESTIONS_WAITING_MAX = 256
const BATCHES_WAITING_MAX = 1024

/** Runs what a worker file exports, in threads of its own. */
export interface Lane {
  run<Result>(work: string, task: unknown): Promise<Result>
  close(): Promise<void>
}
type OpenLane = (file: string, threads: number, waitingMax: number, setting: object) => Lane

interface Parts {
  lane: OpenLane
  modelsDir: string
  embedThreads: number
  chunkTokens: number
  chunkOverlap: number
  /** Models there are; those of models.ts otherwise. */
  models?: readonly ModelDescription[]
  /** Documents wait while this says that a question is under way; see courtesy.ts. */
  asking?: Int32Array
}

export interface Encoder {
  model: ModelDescription
  fingerprint: string
  /** Cuts texts and counts tokens. */
  tokens: Lane['run']
  /** Row-major, one unit vector per text. */
  embedPassages(texts: string[]): Promise<Float32Array>
  embedQuery(question: string): Promise<QueryVector>
  close(): Promise<void>
}

/** Loads `first`, and `second` where there is one. Rejects with a sentence when the weights are not there or not the right ones. */
export async function openEncoders(
  { lane, modelsDir, embedThreads, chunkTokens, chunkOverlap, models, asking }: Parts,
  first: string,
  second?: string,
) {
  async function load(name: string): Promise<Encoder> {
    const model = describeModel(name, models)
    if (chunkTokens > model.window)
      throw new Error(`RAG_CHUNK_SIZE is ${chunkTokens}, but ${name} reads at most ${model.window} tokens`)
    await requireWeights(modelsDir, model)
    const setting = { modelsDir, model, chunkTokens, chunkOverlap }
    const documents = lane('embed.ts', embedThreads, BATCHES_WAITING_MAX, { ...setting, part: 'weights', yields: true, asking })
    const tokens = lane('embed.ts', 1, BATCHES_WAITING_MAX, { ...setting, part: 'tokenizer', yields: true })
    const questions = lane('embed.ts', 1, QUESTIONS_WAITING_MAX, { ...setting, part: 'weights', yields: false })
    const lanes = [documents, tokens, questions]
    const close = async () => void (await Promise.all(lanes.map(one => one.close())))
    try {
      await Promise.all(lanes.map(one => one.run('ready', undefined)))
    } catch (error) {
      await close()
      throw new Error(`The model in ${modelsDir}/${name} can't be loaded; remove that folder and bring it with make setup`, {
        cause: error,
      })
    }
    return {
      model,
      fingerprint: fingerprint(model),
      tokens: tokens.run,
      embedPassages: texts => documents.run<Float32Array>('embed', texts),
      embedQuery: async question => {
        const asked = await questions.run<QueryVector>('embedQuery', question)
        return { ...asked, model: { fingerprint: fingerprint(model), dimensions: model.dimensions } }
      },
      close,
    }
  }

  let serving = await load(first)
  let beside = second === undefined ? undefined : await load(second)
  return {
    get serving() {
      return serving
    },
    get beside() {
      return beside
    },
    /** One of those in memory, by name. */
    named: (name: string) => [serving, beside].find(one => one?.model.name === name),
    /** One of those in memory, by fingerprint. */
    made: (by: string) => [serving, beside].find(one => one?.fingerprint === by),
    /** Loads a second model. Rejects like the opening. */
    async hold(name: string) {
      beside = await load(name)
    },
    /** The second model serves from now on, and the first is beside it. */
    swap() {
      if (!beside) throw new Error('There is no second model')
      const before = serving
      serving = beside
      beside = before
    },
    /** Lets go of the second model, once what it has under way is done. */
    async drop() {
      const before = beside
      beside = undefined
      await before?.close()
    },
  }
}
