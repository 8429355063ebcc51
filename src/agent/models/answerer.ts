// What every answerer is to the flow, whether it picks sentences, runs a small model here or asks a large one elsewhere: a question with
// passages in, statements out. A statement that rests on a document names the bytes it rests on; whether they are there is checked by the
// flow, never by the answerer.

import type { Passage } from '../../contracts/search.ts'
import type { Lease } from '../budget.ts'
import type { Claim } from '../citations.ts'
import type { Step, Usage } from '../schemas.ts'
import type { Tool, ToolContext } from '../tools/tool.ts'

export interface Asked {
  question: string
  /** Earlier questions of the conversation, oldest first. */
  earlier: string[]
  /** What was found, best first; empty when the answer is not to come from documents. */
  passages: Passage[]
  /**
   * What the answer rests on: `only` the passages, every word of it; on them `first`, and on what tools gave otherwise; on `none`, when there
   * are none to rest on.
   */
  ground: 'only' | 'first' | 'none'
  tools: Tool[]
  outputTokensMax: number
}

/** What an answerer works with, beside the question. */
export interface Work {
  signal: AbortSignal
  context: ToolContext
  /** Sets tokens aside for one call, as bytes of its input and the most it may put out; throws a failure `rate_limited` when they are not there. */
  reserve(tokens: number): Promise<Lease>
  /** Told once for every call of a model, also for one that was cut. */
  spend(usage: Usage): void
  /** Told of every tool that was called, and what a search among them found. */
  took(step: Step, passages?: Passage[]): void
}

export type Statement =
  /** Rests on a document. */
  | Claim
  /** Rests on nothing that could be shown. */
  | { text: string; passage?: undefined }
  /** The passages do not tell. */
  | 'absent'
  /** The model was ended before it had finished. */
  | 'cut'

export interface Answerer {
  name: string
  /** Statements as they are known, some at once. Throws `Broken` when the next answerer should be asked, and what `signal` was aborted for. */
  answer(asked: Asked, work: Work): AsyncIterable<Statement[]>
}
