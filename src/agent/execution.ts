// Carries a run out: begins it, answers, keeps the exchange, ends it once. The work stops when its caller leaves, cancels or is signed
// out, when it takes too long, and when this process has to go; what was told until then stays readable.
import { randomBytes } from 'node:crypto'
import { asFailure, failure } from '../platform/errors.ts'
import type { Answer, Ask } from './answer.ts'
import type { Conversations } from './conversations.ts'
import type { Ending } from './endings.ts'
import { SEARCH_MS_MAX } from './evidence.ts'
import type { Runs } from './runs.ts'

/** Longest run, in milliseconds. */
const RUN_MS_MAX = 120_000
if (SEARCH_MS_MAX >= RUN_MS_MAX) throw new Error('A search must fit in a run')
/** Between two looks at whether a run may go on, in milliseconds. */
const LOOK_MS = 500
/** How long runs under way may still take when the process is asked to stop, in milliseconds. */
const DRAIN_MS = 7000

interface Parts {
  runs: Runs
  conversations: Conversations
  answer: Answer
  log: { warn: (context: object, message: string) => void }
}

export interface Order {
  userId: string
  ask: Ask
  conversation: { id: string; isNew: boolean }
  /** Aborted when the client leaves. */
  left: AbortSignal
  /** Whether the credential this was asked with still holds. */
  alive: () => Promise<boolean>
}

export type Execution = ReturnType<typeof openExecution>

export function openExecution({ runs, conversations, answer, log }: Parts) {
  const underWay = new Set<Promise<unknown>>()
  const stopping = new AbortController()

  /** Resolves to how the run ended. Rejects only when that could not be written down. */
  async function carryOut(id: string, { userId, ask, conversation, left, alive }: Order): Promise<Ending> {
    const began = performance.now()
    const cancelled = new AbortController()
    const late = AbortSignal.timeout(RUN_MS_MAX)
    const signal = AbortSignal.any([left, cancelled.signal, late, stopping.signal])
    const over = new AbortController()
    const guard = watch(id, userId, alive, cancelled, over.signal)
    let told = Promise.resolve()
    let ending: Ending
    try {
      const answered = await answer(
        ask,
        ({ event, data }, documents) => {
          const kept = runs.tell(userId, id, event, data, documents)
          told = Promise.all([told, kept]).then(() => undefined)
        },
        signal,
      )
      await told
      signal.throwIfAborted()
      const exchange = { question: ask.question, segments: answered.segments, grounded: answered.grounded, run_id: id }
      await conversations.append(userId, conversation.id, conversation.isNew, exchange)
      ending = { state: 'done', seconds: Math.round(performance.now() - began) / 1000, ...answered }
    } catch (error) {
      await told.catch(() => undefined)
      const usage = { input_tokens: 0, output_tokens: 0 }
      if (left.aborted || cancelled.signal.aborted) ending = { state: 'cancelled', usage }
      else {
        const { code } = late.aborted ? failure('deadline') : stopping.signal.aborted ? failure('unavailable') : asFailure(error)
        log.warn({ err: error, run_id: id }, 'a run failed')
        ending = { state: 'error', code, usage }
      }
    } finally {
      over.abort()
      await guard
    }
    await runs.end(userId, id, ending)
    return ending
  }

  /** Renews the run and looks whether it may go on, until it is over. */
  async function watch(id: string, userId: string, alive: () => Promise<boolean>, cancelled: AbortController, over: AbortSignal) {
    for (;;) {
      await runs.news(id, LOOK_MS, over, 'cancel')
      if (over.aborted) return
      const goesOn = await Promise.all([runs.renew(userId, id), alive()]).catch(() => [true])
      if (goesOn.includes(false)) cancelled.abort()
    }
  }

  return {
    /** Begins a run; `ended` resolves when it is over. */
    async begin(order: Order): Promise<{ id: string; ended: Promise<Ending> }> {
      const id = randomBytes(16).toString('hex')
      await runs.begin(order.userId, id, order.conversation.id, order.ask.question)
      const ended = carryOut(id, order)
      underWay.add(ended)
      ended.catch(error => log.warn({ err: error, run_id: id }, 'a run could not be ended')).finally(() => underWay.delete(ended))
      return { id, ended }
    },

    /** Lets runs under way finish, for a while, then stops them. */
    async close() {
      const timer = setTimeout(() => stopping.abort(), DRAIN_MS)
      await Promise.allSettled(underWay)
      clearTimeout(timer)
    },
  }
}
