// A change of the embedding model while search answers: vectors of the new model are made beside the old ones, both models are asked the
// stored questions, and the new one serves only if its rankings lose no more than a stated margin. The old vectors stay, and are kept up
// to date, until the change is taken back or finished. The catalogue's row is the truth; a killed process goes on where it says.
import { Failure, failure } from '../platform/errors.ts'
import type { Question } from './finding.ts'
import type { Lanes } from './lanes.ts'
import { estimate, marks } from './measures.ts'
import type { Catalogue } from './store/catalogue.ts'
import type { ServingRow } from './store/tables/serving.ts'

/** Loss of mean nDCG@10 a new model may bring when none is named: a quarter of the half-width of its interval over 300 questions. */
const NDCG_LOSS_MAX = 0.01
/** Stored evaluations that are asked again, the newest, and questions of them all together. */
const EVALUATIONS_MAX = 100
const QUESTIONS_MAX = 1000
/** Documents ranked per question; nDCG@10 looks at so many. */
const RANKED = 10

type Found = Promise<{ document_id: string }[]>

interface Parts {
  catalogue: Catalogue
  lanes: Lanes
  /** Name of the model that is configured. */
  configured: string
  directory: (collection: string) => string
  passages: (user: string, question: Question, model?: string) => Found
  /** Told which model serves. */
  serves: (name: string) => void
  log: { info: (context: object, message: string) => void; error: (context: object, message: string) => void }
}

export interface ReindexRequest {
  action?: 'start' | 'rollback' | 'finish' | 'cancel'
  model?: string
  ndcg_loss_max?: number
}

export function openReindex({ catalogue, lanes, configured, directory, passages, serves, log }: Parts) {
  const { serving, collections, evaluations } = catalogue
  const { encoders } = lanes
  let open = true
  let running: Promise<void> | undefined

  const now = (): ServingRow =>
    serving.row() ?? {
      ...{ model: configured, beside: null, stage: 'settled', ndcg_loss_max: NDCG_LOSS_MAX, done: 0, total: 0, outcome: null },
    }
  const change = (to: Partial<ServingRow>) => serving.set({ ...now(), ...to })
  const conclude = (outcome: object) => change({ outcome: JSON.stringify(outcome) })

  /** Does `work` for every collection, whichever are made meanwhile; false when it was told to stop. */
  async function everywhere(stage: ServingRow['stage'], work: (dir: string) => Promise<void>): Promise<boolean> {
    const ids = collections.ids()
    change({ done: 0, total: ids.length })
    for (const [i, id] of ids.entries()) {
      if (!open || now().stage !== stage) return false
      const { models } = await lanes.index(directory(id))
      if (models.length > 0)
        await work(directory(id)).catch(error => {
          if (collections.ownerOf(id)) throw error // otherwise it was erased this moment
        })
      change({ done: i + 1 })
    }
    return true
  }

  /** Vectors of both models for everything; passes until one finds nothing to do. */
  async function embed() {
    let filled = 1
    while (filled > 0) {
      filled = 0
      const isDone = await everywhere('embedding', async dir => {
        for (let after: number | undefined = 0; after !== undefined && open && now().stage === 'embedding'; ) {
          after = await lanes.cover(dir, { after })
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
    const asked = stored()
    change({ total: asked.length })
    const scores: { before: number; after: number }[] = []
    for (const { user, question, relevant } of asked) {
      if (!open || now().stage !== 'evaluating') return
      const by = async (name: string) => {
        const found = await passages(user, question, name)
        return marks(
          found.map(({ document_id }) => document_id),
          relevant,
        ).ndcg_at_10
      }
      const pair = await Promise.all([by(model), by(beside)]).catch(error => {
        // What a question reached may be gone since; then it says nothing.
        if (!(error instanceof Failure) || error.code !== 'not_found') throw error
      })
      if (pair) scores.push({ before: pair[0], after: pair[1] })
      change({ done: now().done + 1 })
    }
    if (scores.length === 0)
      return refuse({ refused: 'There is no stored question to compare by; store some with POST /evaluations, then start again' })
    const measured = {
      questions: scores.length,
      ndcg_at_10: {
        before: estimate(scores.map(({ before }) => before)),
        after: estimate(scores.map(({ after }) => after)),
        difference: estimate(scores.map(({ before, after }) => after - before)),
      },
    }
    const lost = -measured.ndcg_at_10.difference.mean
    if (lost > ndcg_loss_max)
      return refuse({ ...measured, refused: `It loses ${lost.toFixed(4)} of nDCG@10; ${ndcg_loss_max} is the most allowed` })
    swap({ stage: 'kept', outcome: JSON.stringify(measured) })
    log.info({ model: beside, before: model }, 'another embedding model serves')
  }

  function refuse(outcome: object) {
    conclude(outcome)
    change({ stage: 'finishing' })
  }

  /** The stored questions, the newest evaluations first. */
  function stored() {
    return evaluations
      .stored(EVALUATIONS_MAX)
      .flatMap(({ user_id: user, request }) => {
        const { queries, collection_ids } = JSON.parse(request) as {
          queries: { query: string; relevant: string[] }[]
          collection_ids?: string[]
        }
        return queries.map(({ query, relevant }) => {
          const question: Question = { query, collection_ids, top_k: RANKED, group_by: 'document' }
          return { user, question, relevant }
        })
      })
      .slice(0, QUESTIONS_MAX)
  }

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
    for (let stage = stages[now().stage]; stage && open; stage = stages[now().stage]) {
      await stage()
    }
  }

  function begin() {
    if (running) return
    running = run()
      .catch(error => {
        if (!open) return
        log.error({ err: error }, 'the change of the embedding model failed')
        if (now().stage === 'finishing')
          open = false // the next start tries again
        else refuse({ refused: 'It failed; see the log' })
      })
      .finally(() => {
        running = undefined
        // Somebody may have asked for more in the moment between.
        if (open && stages[now().stage]) begin()
      })
  }

  const actions = {
    async start({ model, ndcg_loss_max = NDCG_LOSS_MAX }: ReindexRequest) {
      if (!model) throw failure('invalid_request', 'Name the model to embed with')
      if (now().stage !== 'settled') throw failure('conflict', `A change of the model is under way (${now().stage})`)
      if (model === now().model) throw failure('conflict', `${model} serves already`)
      await encoders.hold(model).catch(cause => {
        throw failure('invalid_request', `${model} can't be loaded here; bring it with RAG_EMBEDDING_MODEL=${model} make setup`, {
          cause,
        })
      })
      change({ beside: model, stage: 'embedding', ndcg_loss_max, done: 0, total: 0, outcome: null })
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
      begin()
    },
    resume: begin,

    async close() {
      open = false
      await running
    },
  }
}
