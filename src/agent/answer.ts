// The flow, and the only file with branches in it: question → passages, as the caller → statements of an answerer → citations checked →
// answer. What a document says is quoted, never obeyed: no text of a passage chooses a step here.
import { setImmediate } from 'node:timers/promises'
import { NOTHING_FOUND } from '../answering/answer.ts'
import { type Passage, QUERY_CHARS_MAX } from '../contracts/search.ts'
import { Failure } from '../platform/errors.ts'
import type { Budget } from './budget.ts'
import { cite, citeFound } from './citations.ts'
import { isSmallTalk } from './courtesies.ts'
import type { Asker, Evidence } from './evidence.ts'
import { endOf, inContext } from './followups.ts'
import type { Answerer, Asked, Statement, Work } from './models/answerer.ts'
import type { Answerers } from './models/choose.ts'
import { Broken } from './models/model.ts'
import { BUILT_IN } from './models/providers.ts'
import type { Citation, Fallback, Mode, Step, Usage } from './schemas.ts'
import { CUT_SHORT, deltaOf, isCutShort, type Segment } from './segments.ts'
import type { Tool } from './tools/tool.ts'

/** Longest time models are waited for, all together, in milliseconds; what is left of the run is for the built-in answerer. */
const MODELS_MS_MAX = 90_000
/** For so long after a search its passages count as compared with their texts, in milliseconds; later they are compared again. */
const FRESH_MS = 100

/** Of the title of each passage this much is told in a stream, which is kept for a while, in characters. */
const TITLE_CHARS_SEEN = 200

const MODEL_AWAY = 'The language model does not answer just now.'

export interface Ask {
  question: string
  /** Earlier questions of the conversation, oldest first. */
  earlier: string[]
  asker: Asker
  mode: Mode
  topK: number
  collectionIds?: string[]
  /** What a model may call. */
  tools: Tool[]
  outputTokensMax: number
}

export interface Answered {
  grounded: boolean
  answerer: string
  segments: Segment[]
  steps: Step[]
  /** Answerers that were asked before and did not answer. */
  fallbacks: Fallback[]
}

/** What a passage tells in a stream: where it is, not what it says. */
type PassageSeen = Pick<Passage, 'document_id' | 'version' | 'title' | 'collection_id' | 'start_byte' | 'end_byte' | 'score'>

/** What happens on the way to an answer, in the order it happens. */
export type Progress =
  | { event: 'step'; data: Step }
  | { event: 'passages'; data: { passages: PassageSeen[] } }
  | { event: 'delta'; data: { text: string } }
  | { event: 'citation'; data: Citation }
type Tell = (progress: Progress, documents: string[]) => void

/** The run an answer is for. `spend` is told of every call of a model, also of one that was cut. */
interface Running {
  userId: string
  tell: Tell
  spend(usage: Usage): void
  signal: AbortSignal
}

interface Parts {
  evidence: Evidence
  budget: Pick<Budget, 'reserve'>
  answerers: Answerers
  scoreMin: number
  /** Told of every answerer that was asked and did not answer. */
  passedOver: (fallback: Fallback, cause: { err?: unknown; request_id?: string }) => void
}

export type Answer = ReturnType<typeof openAnswer>

/** Makes the function that answers. The built-in answerer gives the same segments for the same documents and question. Throws failures. */
export function openAnswer({ evidence, budget, answerers, scoreMin, passedOver }: Parts) {
  return async (ask: Ask, { userId, tell, spend, signal }: Running): Promise<Answered> => {
    const { asker, collectionIds: collection_ids } = ask
    const hasModels = answerers.readers.length + answerers.talkers.length > 0
    const patience = hasModels ? AbortSignal.any([signal, AbortSignal.timeout(MODELS_MS_MAX)]) : signal
    const steps: Step[] = []
    const segments: Segment[] = []
    const fallbacks: Fallback[] = []
    const documents = new Set<string>()
    /** When rag last compared the passages of the question with their texts. */
    let foundAt = -FRESH_MS

    function took(step: Step, found?: Passage[]) {
      steps.push(step)
      tell({ event: 'step', data: step }, [])
      if (!found) return
      for (const { document_id } of found) documents.add(document_id)
      tell({ event: 'passages', data: { passages: found.map(seen) } }, [...new Set(found.map(one => one.document_id))])
    }

    async function search(query: string): Promise<Passage[]> {
      const given = { query, top_k: ask.topK, ...(collection_ids && { collection_ids }) }
      const began = performance.now()
      const passages = await evidence.search(asker, given, signal)
      foundAt = performance.now()
      took({ tool: 'search_documents', arguments: given, ok: true, ms: Math.round(foundAt - began) }, passages)
      // What was told is on its way before the thread is busy with the passages.
      await setImmediate()
      return passages
    }

    function say(segment: Segment) {
      segments.push(segment)
      const { citation, from = [] } = segment
      tell({ event: 'delta', data: { text: deltaOf(segments, segments.length - 1) } }, citation ? [citation.document_id] : from)
      if (citation) tell({ event: 'citation', data: citation }, [citation.document_id])
    }

    const reserve: Work['reserve'] = tokens =>
      budget.reserve(userId, tokens).catch(cause => {
        throw cause instanceof Failure && cause.code === 'rate_limited' ? new Broken('budget', { cause }) : cause
      })
    const context = { asker, user_id: userId, request_id: asker.requestId ?? '', signal: patience, collection_ids }
    const work: Work = { signal: patience, context, reserve, spend, took }

    /** Says what of it holds, in its order; false when the passages do not tell. */
    async function sayChecked(statements: Statement[]) {
      if (statements.includes('absent')) return false
      const claims = statements.filter(one => typeof one === 'object' && one.passage !== undefined)
      const first = citationsIn(segments) + 1
      const held =
        performance.now() - foundAt < FRESH_MS ? citeFound(claims, first) : await cite(evidence, asker, claims, first, signal)
      for (const one of statements) {
        if (typeof one === 'string') continue
        const segment = one.passage ? held.find(({ claim }) => claim === one)?.segment : { text: one.text, from: [...documents] }
        if (segment) say(segment)
      }
      return true
    }

    function passOver(answerer: Answerer, reason: Fallback['reason'], err?: unknown) {
      const fallback = { answerer: answerer.name, reason }
      fallbacks.push(fallback)
      passedOver(fallback, { err, request_id: asker.requestId })
    }

    /** Asks one after the other until one answers; gives whose answer it is, or nothing when none was given. */
    async function askInTurn(order: Answerer[], asked: Asked): Promise<string | undefined> {
      const before = segments.length
      for (const answerer of order) {
        try {
          for await (const statements of answerer.answer(asked, work)) {
            if (!(await sayChecked(statements))) {
              say({ text: NOTHING_FOUND })
              return answerer.name
            }
            if (statements.includes('cut') && segments.length > before) say({ text: CUT_SHORT })
          }
          signal.throwIfAborted()
          if (segments.length > before) return answerer.name
          if (answerer !== answerers.builtIn) passOver(answerer, 'unsupported')
        } catch (error) {
          signal.throwIfAborted()
          const reason = patience.aborted ? 'timeout' : error instanceof Broken ? error.reason : undefined
          if (!reason) throw error
          passOver(answerer, reason, error)
          if (segments.length > before) {
            say({ text: CUT_SHORT })
            return answerer.name
          }
          const refusal = error instanceof Broken ? error.cause : undefined
          if (refusal instanceof Failure && segments.length === 0 && asked.ground === 'none') throw refusal
        }
      }
      return undefined
    }

    const finished = (answerer = BUILT_IN): Answered => {
      const grounded = segments.some(one => one.citation) && segments.every(one => one.citation || isCutShort(one))
      return { grounded, answerer, segments, steps, fallbacks }
    }
    const asked = {
      question: ask.question,
      earlier: ask.earlier,
      tools: ask.tools,
      outputTokensMax: ask.outputTokensMax,
    }
    const chat = { ...asked, passages: [], ground: 'none' as const }

    if (ask.mode === 'chat' || (ask.mode === 'auto' && answerers.talkers.length > 0 && isSmallTalk(ask.question))) {
      const answerer = await askInTurn([...answerers.talkers, ...(answerers.talkers.length > 0 ? [] : [answerers.builtIn])], chat)
      if (!answerer) say({ text: MODEL_AWAY })
      return finished(answerer)
    }
    const passages = await search(endOf(inContext(ask.question, ask.earlier), QUERY_CHARS_MAX))
    if (passages.some(({ score }) => score >= scoreMin)) {
      const ground = ask.mode === 'documents' ? ('only' as const) : ('first' as const)
      const answerer = await askInTurn([...answerers.readers, answerers.builtIn], { ...asked, passages, ground })
      if (!answerer) say({ text: NOTHING_FOUND })
      return finished(answerer)
    }
    say({ text: NOTHING_FOUND })
    if (ask.mode === 'documents') return finished()
    return finished(await askInTurn(answerers.readers, chat))
  }
}

function citationsIn(segments: Segment[]): number {
  return segments.filter(({ citation }) => citation).length
}

function seen({ document_id, version, title, collection_id, start_byte, end_byte, score }: Passage): PassageSeen {
  const name = title.slice(0, TITLE_CHARS_SEEN).toWellFormed()
  return { document_id, version, title: name, collection_id, start_byte, end_byte, score }
}
