// Carries a run out: begins it, answers, keeps the exchange, ends it once. The work stops when its caller leaves, cancels or is signed
// out, when it takes too long, and when this process has to go; what was told until then stays readable.
import { randomBytes } from 'node:crypto'
import { asFailure, failure } from '../platform/errors.ts'
import type { Answer, Answered, Ask } from './answer.ts'
import { type Conversations, NOTED_MS } from './conversations.ts'
import { type Ending, failedWith } from './endings.ts'
import type { Erasures } from './erasures.ts'
import { SEARCH_MS_MAX } from './evidence.ts'
import type { Holdings } from './holdings.ts'
import { type Journal, openJournal } from './journal.ts'
import { RUN_MS_MAX, type Runs } from './runs.ts'
import type { Usage } from './schemas.ts'
import { documentsOf } from './segments.ts'

if (SEARCH_MS_MAX >= RUN_MS_MAX) throw new Error('A search must fit in a run')
/** Between two looks at whether a run may go on, in milliseconds. */
const LOOK_MS = 500
/** How long runs under way may still take when the process is asked to stop, in milliseconds. */
const DRAIN_MS = 7000

interface Parts {
  runs: Runs
  conversations: Conversations
  answer: Answer
  holdings: Holdings
  erasures: Erasures
  log: { warn: (context: object, message: string) => void }
}

export interface Order {
  userId: string
  ask: Ask
  /** Where the exchange is kept; a client that keeps its own history names none. */
  conversation?: { id: string; isNew: boolean }
  /** Whether its events are read as they come. */
  isFollowed: boolean
  /** Aborted when the client leaves. */
  left: AbortSignal
  /** Whether the credential this was asked with still holds. */
  alive: () => Promise<boolean>
}

export function openExecution({ runs, conversations, answer, holdings, erasures, log }: Parts) {
  const underWay = new Set<Promise<unknown>>()
  const stopping = new AbortController()

  /** Resolves to how the run ended; `decide` is told how before that is written down. Rejects only when it could not be written down. */
  async function carryOut(id: string, order: Order, journal: Journal, decide: (ending: Ending) => void) {
    const { userId, ask, left } = order
    const began = performance.now()
    const cancelled = new AbortController()
    const late = AbortSignal.timeout(RUN_MS_MAX)
    const signal = AbortSignal.any([left, cancelled.signal, late, stopping.signal])
    const over = new AbortController()
    void watch(id, order, journal, cancelled, over.signal)
    const usage: Usage = { input_tokens: 0, output_tokens: 0 }
    const spend = ({ input_tokens, output_tokens }: Usage) => {
      usage.input_tokens += input_tokens
      usage.output_tokens += output_tokens
    }
    let ending: Ending
    try {
      const answered = await answer(ask, { userId, tell: journal.tell, spend, signal })
      journal.hold(documentsOf(answered.segments))
      if (journal.lost) throw journal.lost
      signal.throwIfAborted()
      ending = { state: 'done', seconds: Math.round(performance.now() - began) / 1000, usage, ...answered }
    } catch (error) {
      if (left.aborted || (cancelled.signal.aborted && !journal.lost)) ending = { state: 'cancelled', usage }
      else {
        const cause = journal.lost ?? error
        const given = late.aborted ? failure('deadline') : stopping.signal.aborted ? failure('unavailable') : asFailure(cause)
        log.warn({ err: cause, run_id: id, request_id: ask.asker.requestId }, 'a run failed')
        ending = failedWith(given, usage, ask.asker.requestId)
      }
    } finally {
      over.abort(null) // without a reason it makes an error, and the trace of it, for nobody
    }
    // All at once, and done in this order: a run that is seen as done was told whole, and its exchange is kept.
    const told = journal.flush()
    const last = ending.state === 'done' ? [told, keep(id, order, ending)] : []
    const written = Promise.all([...last, runs.end(userId, id, ending)])
    written.catch(() => undefined)
    setImmediate(decide, ending) // it is on its way by then
    // What was not told whole may hold something of a document without a note that says so.
    await told.catch(() => erasures.release([...journal.held], journal.holders))
    await written
    return ending
  }

  /** Adds question and answer to the conversation, where there is one. */
  async function keep(run_id: string, { userId, ask, conversation }: Order, { segments, grounded }: Answered) {
    if (!conversation) return
    const exchange = { question: ask.question, segments, grounded, run_id }
    const { id, isNew } = conversation
    const note = holdings.noting([{ by: { kind: 'conversations', userId }, heldMs: NOTED_MS }])
    await conversations.append(userId, id, isNew, exchange, note)
  }

  /** Renews the run and looks whether it may go on, until it is over. */
  async function watch(id: string, { userId, alive }: Order, journal: Journal, cancelled: AbortController, over: AbortSignal) {
    const bell = runs.listen(id, 'cancel')
    for (;;) {
      await bell.wait(LOOK_MS, over)
      if (over.aborted) return bell.close()
      // Where the thread was held up this can come before the begin, and what has not begun looks as if it were not to go on.
      if (!journal.begun) continue
      const goesOn = await Promise.all([runs.renew(userId, id), alive()]).catch(() => [true])
      if (goesOn.includes(false)) cancelled.abort()
    }
  }

  return {
    /** Begins a run. `decided` resolves to how it ends while that is being written down, `ended` when it has been. */
    async begin(order: Order): Promise<{ id: string; decided: Promise<Ending>; ended: Promise<Ending> }> {
      const id = randomBytes(16).toString('hex')
      const journal = openJournal(runs, holdings, id, order)
      const { promise: decided, resolve: decide } = Promise.withResolvers<Ending>()
      const ended = carryOut(id, order, journal, decide)
      const settled = ended
        .then(() => erasures.settle([...journal.held], journal.holders))
        .catch(error => log.warn({ err: error, run_id: id }, 'a run could not be ended'))
        .finally(() => underWay.delete(settled))
      underWay.add(settled)
      // A stream reads the end from Redis and does not wait for this.
      ended.catch(() => undefined)
      await journal.begun
      return { id, decided, ended }
    },

    /** Lets runs under way finish, for a while, then stops them. */
    async close() {
      const timer = setTimeout(() => stopping.abort(), DRAIN_MS)
      await Promise.allSettled(underWay)
      clearTimeout(timer)
      // Also those that were begun meanwhile.
      stopping.abort()
      await Promise.allSettled(underWay)
    },
  }
}
