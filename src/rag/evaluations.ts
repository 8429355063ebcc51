// Evaluations: a user's own questions with the documents that answer them, asked in several configurations and compared query by query.
// One runs at a time, in the lanes that questions use, those who wait in turns; what a dead process left is run again from the start.
import { setImmediate } from 'node:timers/promises'
import type { FailureCode } from '../contracts/failure.ts'
import { Failure, failure } from '../platform/errors.ts'
import { exceeded } from '../platform/limits.ts'
import type { Collections } from './collections.ts'
import { openErrand } from './errand.ts'
import type { Question } from './finding.ts'
import { type Estimate, estimate, type Marks, marks } from './measures.ts'
import type { Catalogue } from './store/catalogue.ts'
import { id as newId } from './store/tables/collections.ts'
import type { EvaluationRow } from './store/tables/evaluations.ts'

/** Evaluations that may wait, the one under way among them: of everybody, and of one user. */
const WAITING_MAX = 200
const WAITING_OF_USER_MAX = 5
/** When whoever finds no room is asked to come back, in seconds. */
const AGAIN_S = 30
/** Documents ranked per query. */
const RANKED = 100

export interface Configuration extends Pick<Question, 'mode' | 'min_score'> {
  name: string
}
export interface EvaluationRequest {
  queries: { query: string; relevant: string[] }[]
  configurations?: Configuration[]
  collection_ids?: string[]
}

interface Parts {
  catalogue: Catalogue
  collections: Collections
  passages: (user: string, question: Question) => Promise<{ document_id: string }[]>
  log: { error: (context: object, message: string) => void }
  /** Pause before what the disk did not take is tried again, in milliseconds; that of errand.ts otherwise. */
  againMs?: number
}

const measures = ['ndcg_at_10', 'recall_at_10', 'reciprocal_rank'] as const
/** What went wrong is over in a while. */
const PASSING = new Set<FailureCode>(['storage_full', 'unavailable'])

const usual: Configuration[] = [
  { name: 'hybrid', mode: 'hybrid' },
  { name: 'vector', mode: 'vector' },
  { name: 'lexical', mode: 'lexical' },
]

export function openEvaluations({ catalogue: { evaluations }, collections, passages, log, againMs }: Parts) {
  const errand = openErrand({
    work: runAll,
    failed: error => log.error({ err: error }, 'the evaluations go on in a moment'),
    againMs,
  })

  /** Whose evaluation was run last. */
  let served = ''

  async function run({ id, user_id, request }: EvaluationRow) {
    const { queries, configurations = usual, collection_ids } = JSON.parse(request) as EvaluationRequest
    const columns: Marks[][] = configurations.map(() => [])
    for (const { query, relevant } of queries) {
      for (const [at, { mode, min_score }] of configurations.entries()) {
        if (errand.leaving.aborted) return
        const found = await passages(user_id, { query, mode, min_score, collection_ids, top_k: RANKED, group_by: 'document' })
        columns[at]?.push(
          marks(
            found.map(({ document_id }) => document_id),
            relevant,
          ),
        )
      }
      evaluations.advance(id)
    }
    evaluations.finish(id, JSON.stringify(await compared(queries, configurations, columns)))
  }

  async function runAll() {
    for (let next = evaluations.next(served); next && !errand.leaving.aborted; next = evaluations.next(served)) {
      const { id } = next
      served = next.user_id
      await run(next).catch(error => {
        // A full disk and a crowd that searches are no fault of the evaluation: it waits.
        if (error instanceof Failure && PASSING.has(error.code)) throw error
        log.error({ err: error, evaluation_id: id }, 'an evaluation failed')
        evaluations.fail(id)
      })
    }
  }

  return {
    /** Takes an evaluation in; it runs in its user's turn. Throws `rate_limited` when too many of hers wait, `unavailable` when too many do. */
    start(user: string, request: EvaluationRequest) {
      collections.searched(user, request.collection_ids)
      const names = (request.configurations ?? usual).map(({ name }) => name)
      if (new Set(names).size < names.length) throw failure('invalid_request', 'Two configurations have the same name')
      requireRoom(user)
      const id = newId()
      evaluations.insert({ id, user_id: user, request: JSON.stringify(request), total: request.queries.length })
      errand.begin()
      return view(id, user)
    },

    one: (user: string, id: string) => view(id, user),
    resume: errand.begin,
    close: errand.close,
  }

  function requireRoom(user: string) {
    if (evaluations.waitingOf(user) >= WAITING_OF_USER_MAX) {
      const sentence = `${WAITING_OF_USER_MAX} evaluations of yours are waiting; ask for more when one of them is done`
      throw failure('rate_limited', sentence, { headers: exceeded(WAITING_OF_USER_MAX, AGAIN_S) })
    }
    if (evaluations.waiting() >= WAITING_MAX) throw failure('unavailable', undefined, { headers: { 'retry-after': AGAIN_S } })
  }

  function view(id: string, user: string) {
    const row = evaluations.byId(id)
    if (!row || row.user_id !== user) throw failure('not_found')
    const { state, done, total, result, created_at } = row
    return { id, state, done, total, created_at: new Date(created_at).toISOString(), ...(result && JSON.parse(result)) }
  }
}

/** Means of every configuration, and what each differs from the first by, query by query. */
async function compared(queries: EvaluationRequest['queries'], configurations: Configuration[], columns: Marks[][]) {
  const [base = []] = columns
  async function over(values: (measure: (typeof measures)[number]) => number[]) {
    const estimates: Record<string, Estimate> = {}
    for (const measure of measures) {
      // Some milliseconds each: others may come between.
      await setImmediate()
      estimates[measure] = estimate(values(measure))
    }
    return estimates
  }
  const means = []
  const differences = []
  for (const [at, configuration] of configurations.entries()) {
    const column = columns[at] ?? []
    means.push({ ...configuration, ...(await over(measure => column.map(one => one[measure]))) })
    if (at === 0) continue
    const pairs = await over(measure => column.map((one, query) => one[measure] - (base[query]?.[measure] ?? 0)))
    differences.push({ configuration: configuration.name, against: configurations[0]?.name, ...pairs })
  }
  return {
    configurations: means,
    differences,
    queries: queries.map(({ query }, row) => ({
      query,
      results: configurations.map(({ name }, at) => ({ configuration: name, ...columns[at]?.[row] })),
    })),
  }
}
