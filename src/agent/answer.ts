// The flow, and the only file with branches in it: question → passages, as the caller → sentences that answer → citations checked →
// answer. What a document says is quoted, never obeyed: no text of a passage chooses a step here.
import { answer as extract } from '../answering/answer.ts'
import type { Passage } from '../contracts/search.ts'
import { cite } from './citations.ts'
import type { Asker, Evidence } from './evidence.ts'
import { inContext } from './followups.ts'
import type { Citation, Mode, Step, Usage } from './schemas.ts'
import { deltaOf, type Segment, shown } from './segments.ts'

/** Longest query rag takes, in characters. */
const QUERY_CHARS_MAX = 2000
/** The name of the answerer that needs no model. */
export const BUILT_IN = 'extractive'
const NOTHING_FOUND = 'Nothing in your documents answers this.'
const NO_MODEL = 'I answer from documents; no language model is set up here to talk with.'

export interface Ask {
  question: string
  /** Earlier questions of the conversation, oldest first. */
  earlier: string[]
  asker: Asker
  mode: Mode
  topK: number
  collectionIds?: string[]
}

export interface Answered {
  grounded: boolean
  answerer: string
  segments: Segment[]
  steps: Step[]
  usage: Usage
}

/** What a passage tells in a stream: where it is, not what it says. */
type PassageSeen = Pick<Passage, 'document_id' | 'version' | 'title' | 'collection_id' | 'start_byte' | 'end_byte' | 'score'>

/** What happens on the way to an answer, in the order it happens. */
type Progress =
  | { event: 'step'; data: Step }
  | { event: 'passages'; data: { passages: PassageSeen[] } }
  | { event: 'delta'; data: { text: string } }
  | { event: 'citation'; data: Citation }
export type Tell = (progress: Progress, documents: string[]) => void

export type Answer = ReturnType<typeof openAnswer>

/** Makes the function that answers. Same documents and same question give the same segments. Throws failures; stops when `signal` says so. */
export function openAnswer({ evidence, scoreMin }: { evidence: Evidence; scoreMin: number }) {
  return async (ask: Ask, tell: Tell, signal: AbortSignal): Promise<Answered> => {
    const steps: Step[] = []
    const { asker } = ask

    async function search(query: string): Promise<Passage[]> {
      const given = { query, top_k: ask.topK, ...(ask.collectionIds && { collection_ids: ask.collectionIds }) }
      const began = performance.now()
      const passages = await evidence.search(asker, given, signal)
      const step = { tool: 'search_documents', arguments: given, ok: true, ms: Math.round(performance.now() - began) }
      steps.push(step)
      tell({ event: 'step', data: step }, [])
      tell({ event: 'passages', data: { passages: passages.map(seen) } }, [...new Set(passages.map(one => one.document_id))])
      return passages
    }

    function say(segments: Segment[], grounded: boolean): Answered {
      for (const [at, { citation }] of segments.entries()) {
        const documents = citation ? [citation.document_id] : []
        tell({ event: 'delta', data: { text: deltaOf(segments, at) } }, documents)
        if (citation) tell({ event: 'citation', data: citation }, documents)
      }
      return { grounded, answerer: BUILT_IN, segments, steps, usage: { input_tokens: 0, output_tokens: 0 } }
    }

    if (ask.mode === 'chat') return say([{ text: NO_MODEL }], false)
    const question = inContext(ask.question, ask.earlier)
    const passages = await search(bounded(question))
    const { sentences } = extract(question, passages, { scoreMin })
    const claims = sentences.flatMap(({ passage: at, start_byte, end_byte, text }) => {
      const passage = passages[at]
      return passage ? [{ text: shown(text), passage, start_byte, end_byte, quote: text }] : []
    })
    const segments = await cite(evidence, asker, claims, 1, signal)
    return segments.length > 0 ? say(segments, true) : say([{ text: NOTHING_FOUND }], false)
  }
}

function seen({ document_id, version, title, collection_id, start_byte, end_byte, score }: Passage): PassageSeen {
  return { document_id, version, title, collection_id, start_byte, end_byte, score }
}

/** The end of a question that is longer than rag takes; never half a character. */
function bounded(question: string): string {
  return question.slice(-QUERY_CHARS_MAX).replace(/^[\uDC00-\uDFFF]/, '')
}
