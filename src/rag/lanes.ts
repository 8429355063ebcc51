// The worker threads of rag, one lane each: documents are embedded in one, questions in another, one thread writes, one searches. Nobody
// waits behind work of another kind, and the event loop only routes. Lanes are bounded; a full one says so at once.
import { Piscina } from 'piscina'
import { failure } from '../platform/errors.ts'
import type { Chunk } from './chunk.ts'
import type { QueryVector } from './embed.ts'
import type { Section } from './extract/canonical.ts'
import { describeModel, fingerprint, requireWeights } from './models.ts'
import type { FindRequest, Found } from './workers/searcher.ts'
import { retold } from './workers/told.ts'

/** Questions that may wait for their vector, and collections that may wait to be searched; a question may ask 50 of these. */
const QUESTIONS_WAITING_MAX = 256
const SEARCHES_WAITING_MAX = 1024
/** Batches of documents that may wait to be embedded, or changes to be written; far more than the ingest queue hands over at once. */
const BATCHES_WAITING_MAX = 1024
/** Longest wait for what is under way when closing, in milliseconds. */
const CLOSE_MS_MAX = 8000

export interface LaneOptions {
  modelsDir: string
  model: string
  embedThreads: number
  chunkTokens: number
  chunkOverlap: number
  /** Passages up to which a collection is scanned exactly; the measured default of vectors.ts otherwise. */
  exactMax?: number
}
export type Lanes = Awaited<ReturnType<typeof openLanes>>

/** Opens the lanes and loads the model. Rejects with a sentence when its weights are not there or not the right ones. */
export async function openLanes({ modelsDir, model: name, embedThreads, chunkTokens, chunkOverlap, exactMax }: LaneOptions) {
  const model = describeModel(name)
  if (chunkTokens > model.window)
    throw new Error(`RAG_CHUNK_SIZE is ${chunkTokens}, but ${name} reads at most ${model.window} tokens`)
  await requireWeights(modelsDir, model)
  const setting = {
    modelsDir,
    model,
    chunkTokens,
    chunkOverlap,
    fingerprint: fingerprint(model),
    dimensions: model.dimensions,
    exactMax,
  }
  const pools: Piscina[] = []
  let isClosed = false
  const lane = (file: string, threads: number, maxQueue: number) => {
    const pool = new Piscina({
      filename: new URL(file, import.meta.url).href,
      minThreads: threads,
      maxThreads: threads,
      maxQueue,
      workerData: setting,
      env: {},
      closeTimeout: CLOSE_MS_MAX,
    })
    pools.push(pool)
    return async <Result>(work: string, task: unknown): Promise<Result> => {
      if (isClosed) throw failure('unavailable') // the pool would start again
      return pool.run(task, { name: work }).catch(retold)
    }
  }
  const documents = lane('embed.ts', embedThreads, BATCHES_WAITING_MAX)
  const questions = lane('embed.ts', 1, QUESTIONS_WAITING_MAX)
  const writer = lane('workers/writer.ts', 1, BATCHES_WAITING_MAX)
  const searcher = lane('workers/searcher.ts', 1, SEARCHES_WAITING_MAX)

  let isReady = false
  const close = async () => {
    isClosed = true
    await Promise.all(pools.map(pool => pool.close({ force: true })))
  }
  try {
    await Promise.all([documents('ready', undefined), questions('ready', undefined)])
    isReady = true
  } catch (error) {
    await close()
    throw new Error(`The model in ${modelsDir}/${name} can't be loaded; remove that folder and bring it with make setup`, {
      cause: error,
    })
  }

  let tending = Promise.resolve()
  const toTend = new Set<string>()
  /** Brings the vector index of a collection up to date, a little at a time between the searches, one collection after the other. */
  function tend(dir: string) {
    if (toTend.has(dir)) return
    toTend.add(dir)
    const steps = async () => {
      while (await searcher<boolean>('step', { dir })) {}
    }
    // What fails here is only a cache: searches scan what it lacks, and the next one tries again.
    tending = tending.then(steps).catch(() => undefined)
    tending.finally(() => toTend.delete(dir))
  }

  return {
    model,
    ready: () => isReady && !isClosed,
    close,

    /** Passages of a text, each within the model's window. */
    chunk: (text: string, sections: Section[]) => documents<Chunk[]>('cut', { text, sections }),
    /** Tokens of each text as the model counts them. */
    count: (texts: string[]) => documents<number[]>('count', texts),
    /** Row-major, one unit vector per text. */
    embedPassages: (texts: string[]) => documents<Float32Array>('embed', texts),
    embedQuery: (question: string) => questions<QueryVector>('embedQuery', question),

    /** Changes of a collection's file, one after the other; see store/collection.ts. */
    write: {
      appended: (dir: string, document: string, version: string) => writer<number>('appended', { dir, document, version }),
      append: (dir: string, document: string, version: string, passages: Chunk[], vectors: Float32Array) =>
        writer<void>('append', { dir, document, version, passages, vectors }),
      publish: (dir: string, document: string, version: string) => writer<void>('publish', { dir, document, version }),
      remove: (dir: string, document: string) => writer<{ passages: number }>('remove', { dir, document }),
      sweep: (dir: string, keep: { document_id: string; version: string }[]) => writer<number>('sweep', { dir, keep }),
      /** Lets go of a collection's file, so that its folder can be removed. */
      async close(dir: string) {
        await Promise.all([writer<void>('close', { dir }), searcher<void>('close', { dir })])
      },
    },

    /** The best of one collection; see search.ts. */
    async find(request: FindRequest): Promise<Found[]> {
      const { hits, behind } = await searcher<{ hits: Found[]; behind: boolean }>('find', request)
      if (behind) tend(request.dir)
      return hits
    },
  }
}
