// The worker threads of rag, one lane each: documents are cut in one and embedded in another, questions in a third, one writes, one searches
// by words and one by vectors, one applies filters. Nobody waits behind work of another kind, and the event loop only routes. Lanes are
// bounded; a full one says so at once.
import { Piscina } from 'piscina'
import { failure } from '../platform/errors.ts'
import type { Chunk, Place } from './chunk.ts'
import type { Cut, QueryVector } from './embed.ts'
import { type Encoder, type Lane, openEncoders } from './encoders.ts'
import type { Section } from './extract/canonical.ts'
import type { Audit } from './mending.ts'
import type { ModelDescription } from './models.ts'
import type { Lacking, Part } from './store/beside.ts'
import type { Matched, MatchRequest } from './workers/matcher.ts'
import type { FindReply, FindRequest, Found, IndexState, LegFound, Model, NearRequest, WordsRequest } from './workers/searcher.ts'
import { retold } from './workers/told.ts'

/** Collections that may wait to be searched; a question may ask 50 of these. Changes that may wait to be written. */
const SEARCHES_WAITING_MAX = 1024
const CHANGES_WAITING_MAX = 1024
/** Filters that may wait to be applied. */
const FILTERS_WAITING_MAX = 256
/** Passages given their vector of a second model at once. */
const COVERED = 32
/** Longest wait for what is under way when closing, in milliseconds. */
const CLOSE_MS_MAX = 8000

export interface LaneOptions {
  modelsDir: string
  model: string
  /** A second model that collections have vectors of, or shall have. */
  beside?: string
  /** Documents wait while this says that a question is under way; see courtesy.ts. */
  asking?: Int32Array
  embedThreads: number
  chunkTokens: number
  chunkOverlap: number
  /** Passages up to which a collection is scanned exactly; the measured default of vectors.ts otherwise. */
  exactMax?: number
  /** Models there are; those of models.ts otherwise. */
  models?: readonly ModelDescription[]
  /** Told of documents in the collection `dir` that a search left out, since their texts no longer hold what they are searched by. */
  strays?: (dir: string, documents: string[]) => void
  /** Told why the vector index of the collection `dir` could not be brought up to date. */
  unbuilt?: (dir: string, error: unknown) => void
}
/** The model that serves, unless told. */
type Modelled<Request> = Omit<Request, 'model'> & { model?: Model }
export type Lanes = Awaited<ReturnType<typeof openLanes>>

/** Opens the lanes and loads the model. Rejects with a sentence when its weights are not there or not the right ones. */
export async function openLanes({ model: name, beside, exactMax, strays, unbuilt, ...setting }: LaneOptions) {
  const lanes = new Set<Lane>()
  let isClosed = false
  function lane(file: string, threads: number, maxQueue: number, workerData: object): Lane {
    const pool = new Piscina({
      filename: new URL(file, import.meta.url).href,
      minThreads: threads,
      maxThreads: threads,
      maxQueue,
      stricterFIFO: true, // otherwise every task that ends sends the one that has waited longest but one to the end
      workerData,
      env: {},
      closeTimeout: CLOSE_MS_MAX,
    })
    let isOver = false
    const self: Lane = {
      async run(work, task) {
        if (isOver) throw failure('unavailable') // the pool would start again
        return pool.run(task, { name: work }).catch(retold)
      },
      async close() {
        isOver = true
        lanes.delete(self)
        await pool.close({ force: true })
      },
    }
    lanes.add(self)
    return self
  }
  const close = async () => {
    isClosed = true
    await Promise.all([...lanes].map(one => one.close()))
  }
  const encoders = await openEncoders({ lane, ...setting }, name, beside).catch(async error => {
    await close()
    throw error
  })
  const writer = lane('workers/writer.ts', 1, CHANGES_WAITING_MAX, {}).run
  const searcher = lane('workers/searcher.ts', 1, SEARCHES_WAITING_MAX, { exactMax }).run
  /** What needs no vectors is searched beside. */
  const reader = lane('workers/searcher.ts', 1, SEARCHES_WAITING_MAX, {}).run
  const matcher = lane('workers/matcher.ts', 1, FILTERS_WAITING_MAX, {}).run
  const searchers = (work: 'close' | 'end', dir: string) =>
    Promise.all([searcher<void>(work, { dir }), reader<void>(work, { dir })])

  /** While it is set, nobody changes a collection's file but who set it. */
  let pause: Promise<void> | undefined
  /** Which model made vectors that are on their way to a file: meanwhile another may have begun to serve. */
  const madeBy = new WeakMap<Float32Array, string>()
  const serving = (): Model => ({ fingerprint: encoders.serving.fingerprint, dimensions: encoders.serving.model.dimensions })

  async function write<Result>(work: string, task: object): Promise<Result> {
    while (pause) await pause
    return writer<Result>(work, { ...task, model: encoders.serving.fingerprint })
  }

  let tending = Promise.resolve()
  const toTend = new Set<string>()
  /** Brings the vector index of a collection up to date, a little at a time between the searches, one collection after the other. */
  function tend(dir: string, model: Model) {
    const one = `${model.fingerprint} ${dir}`
    if (toTend.has(one)) return
    toTend.add(one)
    const steps = async () => {
      while (await searcher<boolean>('step', { dir, model })) {}
    }
    // What fails here is only a cache: searches scan what it lacks, and the next one tries again.
    tending = tending.then(steps).catch(error => {
      if (!isClosed) unbuilt?.(dir, error)
    })
    tending.finally(() => toTend.delete(one))
  }

  async function embedWith(encoder: Encoder, texts: string[]): Promise<Float32Array> {
    const vectors = await encoder.embedPassages(texts)
    madeBy.set(vectors, encoder.fingerprint)
    return vectors
  }

  async function fitting(encoder: Encoder, texts: string[]): Promise<Float32Array> {
    const longest = Math.max(...(await encoder.tokens<number[]>('count', texts)))
    if (longest > encoder.model.window)
      throw failure(
        'invalid_request',
        `A passage has ${longest} tokens; ${encoder.model.name} reads at most ${encoder.model.window}`,
      )
    return encoder.embedPassages(texts)
  }

  /**
   * Gives some passages (those of a version, or any that are visible) the vectors they lack of the models in memory;
   * gives the last one's id, or nothing when none lacks any.
   * Throws `invalid_request` when one is longer than a model reads: nothing is cut.
   */
  async function cover(dir: string, part: Part = {}): Promise<number | undefined> {
    const models = [encoders.serving, encoders.beside].flatMap(one => one?.fingerprint ?? [])
    const found = await write<Lacking | undefined>('lacking', { dir, models, ...part, limit: COVERED })
    const encoder = found && encoders.made(found.model)
    if (!encoder) return undefined
    const texts = found.passages.map(({ content }) => content)
    const vectors = await fitting(encoder, texts).catch(error => {
      if (encoders.made(found.model)) throw error
    })
    // It was let go of meanwhile: what is lacking is another question now.
    if (!vectors) return cover(dir, part)
    const ids = found.passages.map(({ id }) => id)
    await write<void>('fill', { dir, by: found.model, ids, vectors })
    return ids.at(-1)
  }

  return {
    get model() {
      return encoders.serving.model
    },
    encoders,
    ready: () => !isClosed,
    close,

    /** Passages of a text, each within the model's window. */
    chunk: (text: string, sections: Section[]) => encoders.serving.tokens<Cut[]>('cut', { text, sections }),
    /** Tokens of each text as the model counts them. */
    count: (texts: string[]) => encoders.serving.tokens<number[]>('count', texts),
    /** Row-major, one unit vector per text. */
    embedPassages: (texts: string[]) => embedWith(encoders.serving, texts),
    /** A question's vector, of the model that serves or of the one named. */
    embedQuery: (question: string, model?: string): Promise<QueryVector> =>
      ((model && encoders.named(model)) || encoders.serving).embedQuery(question),
    cover,

    /** Changes of a collection's file, one after the other; see store/collection.ts. */
    write: {
      appended: (dir: string, document: string, version: string) => write<number>('appended', { dir, document, version }),
      resume: (dir: string, document: string, version: string, places: Place[], shown?: number) =>
        write<number | undefined>('resume', { dir, document, version, places, shown }),
      append: (dir: string, document: string, version: string, passages: Chunk[], vectors: Float32Array) =>
        write<void>('append', { dir, document, version, passages, vectors, by: madeBy.get(vectors) ?? serving().fingerprint }),
      /** Shows a version, with the vectors of every model in memory. */
      async publish(dir: string, document: string, version: string) {
        while ((await cover(dir, { document, version })) !== undefined) {}
        return write<number>('publish', { dir, document, version })
      },
      /** What a collection's file shows, unless it stands at `position`; one that is damaged is begun anew. */
      async audit(dir: string, position: number) {
        const found = await write<(Audit & { isAnew?: boolean }) | undefined>('audit', { dir, position })
        if (found?.isAnew) await searchers('close', dir)
        return found
      },
      remove: (dir: string, document: string) => write<{ passages: number; position: number }>('remove', { dir, document }),
      discard: (dir: string, document: string, version: string) => write<void>('discard', { dir, document, version }),
      sweep: (dir: string, keep: { document_id: string; version: string }[]) => write<number>('sweep', { dir, keep }),
      /** Only the model that serves is left in it. */
      settle: (dir: string) => write<void>('settle', { dir }),
      /** Closes a collection's file for good, so that its folder can be removed: for whoever still asks for it, nothing is there. */
      async close(dir: string) {
        await Promise.all([write<void>('end', { dir }), searchers('end', dir)])
      },
    },

    /** Nothing is changed in any collection's file while `work` runs, which may copy databases. */
    async still<Result>(work: (copy: (from: string, to: string) => Promise<void>) => Promise<Result>): Promise<Result> {
      while (pause) await pause
      let go = () => {}
      pause = new Promise(resolve => {
        go = resolve
      })
      try {
        return await work((from, to) => writer<void>('copy', { from, to }))
      } finally {
        pause = undefined
        go()
      }
    },

    /** Moves what the log of a database holds into it, which blocks whoever does it. */
    checkpoint: (database: string) => writer<void>('checkpointed', { database }),

    /** What a collection's index is like. */
    index: (dir: string) => searcher<IndexState>('state', { dir }),

    /** The documents that a filter lets through. */
    matching: (request: MatchRequest) => matcher<Matched>('matching', request),

    /** The full-text leg of one collection, which `find` then need not run. */
    words: (request: WordsRequest) => reader<LegFound | undefined>('words', request),

    /** The vector leg of one collection, which `find` then need not run. */
    near: ({ model = serving(), ...request }: Modelled<NearRequest>) =>
      searcher<LegFound | undefined>('near', { ...request, model }),

    /** The best of one collection; see search.ts. */
    async find({ model = serving(), ...request }: Modelled<FindRequest>): Promise<Found[]> {
      const run = request.vector ? searcher : reader
      const { hits, behind, astray } = await run<FindReply>('find', { ...request, model })
      if (behind) tend(request.dir, model)
      if (astray.length > 0) strays?.(request.dir, astray)
      return hits
    },
  }
}
