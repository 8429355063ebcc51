// A language model as the tool loop drives it: one call takes messages and tools and gives pieces as they come. Where it runs, and whose
// it is, stays behind this; so does everything it says wrongly, which arrives as a `Broken` with one of a closed list of reasons.
import type { TSchema } from 'typebox'
import type { Usage } from '../schemas.ts'

/** A call of a tool a model asks for. `given` is what it sent as arguments, unchecked; `fault` says why that could not be read. */
export interface Call {
  id: string
  name: string
  given: unknown
  fault?: string
}

export type Message =
  | { role: 'system'; text: string }
  | { role: 'user'; text: string }
  | { role: 'assistant'; text: string; calls: Call[] }
  | { role: 'tool'; call: Call; text: string }

export interface Turn {
  messages: Message[]
  /** What may be called; none in a turn that has to answer. */
  tools: { name: string; description: string; parameters: TSchema }[]
  outputTokensMax: number
}

/** `cut`: the reply was ended at the most it may put out, or by a filter. */
export type Piece = { text: string } | { call: Call } | { usage: Usage } | { cut: true }

export interface Model {
  name: string
  /** Set where a model is too small to write markers: what it says is looked for in every passage it was given. */
  isUnmarked?: true
  /** Throws `Broken`; ends its work at once when `signal` says so. Nothing is said about usage when the model says nothing about it. */
  turn(turn: Turn, signal: AbortSignal): AsyncIterable<Piece>
}

/** Why an answerer did not answer, as the reply says it. */
export const reasons = [
  'timeout',
  'unreachable',
  'rate_limited',
  'refused',
  'unusable',
  'too_long',
  'unsupported',
  'budget',
  'busy',
] as const
export type Reason = (typeof reasons)[number]

/** An answerer could not answer; the next one may. */
export class Broken extends Error {
  override readonly name = 'Broken'
  readonly reason: Reason
  /** How long the server asked to wait, in milliseconds. */
  readonly retryAfterMs?: number

  constructor(reason: Reason, options: ErrorOptions & { retryAfterMs?: number } = {}) {
    super(`The model did not answer: ${reason}`, options)
    this.reason = reason
    this.retryAfterMs = options.retryAfterMs
  }
}
