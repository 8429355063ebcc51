// A change of the embedding model while search answers: vectors of the new model are made beside the old ones, both models are asked the
// stored questions, and the new one serves only if its rankings lose no more than a stated margin. The old vectors stay, and are kept up
// to date, until the change is taken back or finished. The catalogue's row is the truth; a killed process goes on where it says.
import { setTimeout as pause } from 'node:timers/promises'
import { Failure, failure } from '../platform/errors.ts'
import { difference, type Passages, ranked, type Score, storedQuestions } from './comparison.ts'
import { openErrand } from './errand.ts'
import type { Lanes } from './lanes.ts'
import type { Catalogue } from './store/catalogue.ts'
import type { ServingRow } from './store/tables/serving.ts'

/** Loss of mean nDCG@10 a new model may bring when none is named: a quarter of the half-width of its interval over 300 questions. */
const NDCG_LOSS_MAX = 0.01
/** How often something is tried that finds a lane full, and the pause between, in milliseconds. */
const TRIES_MAX = 60
const ROOM_MS = 1000

interface Parts {
  catalogue: Catalogue
  lanes: Lanes
  /** Name of the model that is configured. */
  configured: string
  directory: (collection: string) => string
  passages: Passages
  /** Told which model serves. */
  serves: (name: string) => void
  log: { info: (context: object, message: string) => void; error: (context: object, message: string) => void }
  /** Pauses before what failed is tried again and between two tries to find room, in milliseconds; those named here otherwise. */
  againMs?: number
  roomMs?: number
}

export interface ReindexRequest {
  action?: 'start' | 'rollback' | 'finish' | 'cancel'
  model?: string
  ndcg_loss_max?: number
}

export function openReindex({
  catalogue,
  lanes,
  configured,
  directory,
  passages,
  serves,
  log,
  againMs,
  roomMs = ROOM_MS,
}: Parts) {
  const { serving, collections, evaluations } = catalogue
  const { encoders } = lanes
  const errand = openErrand({
    work: run,
    failed: error => log.error({ err: error }, 'the change of the embedding model goes on in a moment'),
    againMs,
  })
  const { leaving } = errand
  /** Is a model being loaded for a change that is about to start? */
  let isLoading = false

  const now = (): ServingRow =>
    serving.row() ?? {
      ...{ model: configured, beside: null, stage: 'settled', ndcg_loss_max: NDCG_LOSS_MAX, done: 0, total: 0, outcome: null },
    }
  const isAt = (stage: ServingRow['stage']) => !leaving.aborted && now().stage === stage
  const change = (to: Partial<ServingRow>) => serving.set({ ...now(), ...to })

  /** Does `work`; while a lane is full, again for a while. */
  async function patiently<Result>(work: () => Promise<Result>): Promise<Result> {
    for (let tries = 1; ; tries++) {
      try {
        return await work()
      } catch (error) {
        const isFull = error instanceof Failure && error.code === 'unavailable'
        if (!isFull || leaving.aborted || tries === TRIES_MAX) throw error
        await pause(roomMs, undefined, { signal: leaving }).catch(() => {})
      }
    }
  }

  /** Does `work` for every collection, whichever are made meanwhile; false when it was told to stop. */
  async function everywhere(stage: ServingRow['stage'], work: (dir: string) => Promise<void>): Promise<boolean> {
    const ids = collections.ids()
    change({ done: 0, total: ids.length })
    for (const [i, id] of ids.entries()) {
      if (!isAt(stage)) return false
      const { models } = await patiently(() => lanes.index(directory(id)))
      if (models.length > 0)
        await work(directory(id)).catch(error => {
          if (collections.ownerOf(id)) throw error // otherwise it was erased this moment
        })
      change({ done: i + 1 })
    }
    return isAt(stage)
  }

  /** Vectors of both models for everything; passes until one finds nothing to do. */
  async function embed() {
    let filled = 1
    while (filled > 0) {
      filled = 0
      const isDone = await everywhere('embedding', async dir => {
        for (let after: number | undefined = 0; after !== undefined && isAt('embedding'); ) {
          after = await patiently(() => lanes.cover(dir, { after }))
          if (after !== undefined) filled += 1
        }
      })
      if (!isDone) return
    }
    change({ stage: 'evaluating', done: 0, total: 0 })
  }

  /** Asks both models what users stored with their evaluations, each as its user, and lets the new one serve if it is good enough. */
  async function evaluate() {
    const { model, beside, ndcg_loss_max } = now()
    if (!beside) throw new Error('There is no second model to evaluate')
    const questions = storedQuestions(evaluations)
    change({ done: 0, total: questions.length })
    const scores: Score[] = []
    for (const asked of questions) {
      if (!isAt('evaluating')) return
      const score = await patiently(() => ranked(passages, asked, model, beside))
      if (score) scores.push(score)
      change({ done: now().done + 1 })
    }
    if (!isAt('evaluating')) return
    if (scores.length === 0)
      return refuse({ refused: 'There is no stored question to compare by; store some with POST /evaluations, then start again' })
    const measured = difference(scores)
    const lost = -measured.ndcg_at_10.difference.mean
    if (lost > ndcg_loss_max)
      return refuse({ ...measured, refused: `It loses ${lost.toFixed(4)} of nDCG@10; ${ndcg_loss_max} is the most allowed` })
    swap({ stage: 'kept', outcome: JSON.stringify(measured) })
    log.info({ model: beside, before: model }, 'another embedding model serves')
  }

  const refuse = (outcome: object) => change({ outcome: JSON.stringify(outcome), stage: 'finishing' })

  /** The row first: what it says is what the next start loads. */
  function swap(to: Partial<ServingRow>) {
    const { model, beside } = now()
    if (!beside) throw new Error('There is no second model')
    change({ ...to, model: beside, beside: model, done: 0, total: 0 })
    encoders.swap()
    serves(beside)
  }

  /** Lets go of the second model's vectors, everywhere, and then of the model. */
  async function finish() {
    // Out of memory first, so that nothing gives a collection such vectors again.
    await encoders.drop()
    if (await everywhere('finishing', lanes.write.settle)) change({ stage: 'settled', beside: null })
  }

  const stages = { embedding: embed, evaluating: evaluate, finishing: finish, kept: undefined, settled: undefined }

  async function run() {
    for (let stage = stages[now().stage]; stage && !leaving.aborted; stage = stages[now().stage]) {
      await stage().catch(takeBack)
    }
  }

  /** A change that failed is over, and its vectors go. What has all its vectors is not given up for a full disk, nor is the end of a change. */
  function takeBack(error: unknown) {
    const isFull = error instanceof Failure && error.code === 'storage_full'
    if (leaving.aborted || isAt('finishing') || (isFull && isAt('evaluating'))) throw error
    log.error({ err: error }, 'the change of the embedding model failed')
    refuse({ refused: 'It failed; see the log' })
  }

  const actions = {
    async start({ model, ndcg_loss_max = NDCG_LOSS_MAX }: ReindexRequest) {
      if (!model) throw failure('invalid_request', 'Name the model to embed with')
      if (isLoading || now().stage !== 'settled')
        throw failure('conflict', `A change of the model is under way (${isLoading ? 'loading' : now().stage})`)
      if (model === now().model) throw failure('conflict', `${model} serves already`)
      isLoading = true
      try {
        await encoders.hold(model).catch(cause => {
          throw failure(
            'invalid_request',
            `${model} can't be loaded here; bring it with RAG_EMBEDDING_MODEL=${model} make setup`,
            {
              cause,
            },
          )
        })
        change({ beside: model, stage: 'embedding', ndcg_loss_max, done: 0, total: 0, outcome: null })
      } catch (error) {
        await encoders.drop()
        throw error
      } finally {
        isLoading = false
      }
    },
    rollback() {
      if (now().stage !== 'kept') throw failure('conflict', 'There is no earlier model to go back to')
      swap({})
    },
    finish() {
      if (now().stage !== 'kept') throw failure('conflict', 'There is no change of the model to finish')
      change({ stage: 'finishing' })
    },
    cancel() {
      if (now().stage !== 'embedding' && now().stage !== 'evaluating')
        throw failure('conflict', 'No change of the model is under way')
      refuse({ refused: 'It was cancelled' })
    },
  }

  return {
    /** What serves, and how far a change of it has come. */
    view() {
      const { outcome, ...row } = now()
      return { ...row, ...(outcome && { outcome: JSON.parse(outcome) }) }
    },

    /**
     * Starts a change, takes it back, finishes or cancels it. Throws `conflict` when this is not the time for it, `invalid_request` for a
     * model that can't be loaded.
     */
    async act(request: ReindexRequest) {
      await actions[request.action ?? 'start'](request)
      errand.begin()
    },
    resume: errand.begin,
    close: errand.close,
  }
}
