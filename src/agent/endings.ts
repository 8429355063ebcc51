// How a run ended, as it is kept, and what is told about it: the reply, a failure, or that it was cancelled. What was used is always said.
import type { FailureCode } from '../contracts/failure.ts'
import { type Failure, failure, retryAfterOf } from '../platform/errors.ts'
import type { Answered } from './answer.ts'
import type { Run } from './runs.ts'
import type { Reply, Usage } from './schemas.ts'
import { citationsOf, documentsOf, isCutShort, textOf, without } from './segments.ts'

export type Ending =
  | ({ state: 'done'; seconds: number; usage: Usage } & Answered)
  | {
      state: 'error'
      code: FailureCode
      message?: string
      headers?: Record<string, string | number>
      request_id?: string
      usage: Usage
    }
  | { state: 'cancelled'; usage: Usage }

/** The ending of a run that failed, with all that the failure tells its caller, and the request it can be found by in the log. */
export function failedWith({ code, message, extras: { headers } }: Failure, usage: Usage, request_id?: string): Ending {
  return { state: 'error', code, message, ...(headers && { headers }), ...(request_id && { request_id }), usage }
}

/** The failure a run ended with. */
export function failureOf({ code, message, headers }: Extract<Ending, { state: 'error' }>): Failure {
  return failure(code, message, { ...(headers && { headers }) })
}

/** The ending without what came from a document. */
export function endingWithout(ending: Ending, documentId: string): Ending {
  if (ending.state !== 'done' || !documentsOf(ending.segments).includes(documentId)) return ending
  const segments = without(ending.segments, documentId)
  return { ...ending, segments, grounded: ending.grounded && citationsOf(segments).length > 0 }
}

/** The reply to a question that was answered. */
export function replyOf(run: Omit<Run, 'ending'>, ending: Extract<Ending, { state: 'done' }>): Reply {
  const { segments, grounded, answerer, steps, usage, seconds, fallbacks } = ending
  const text = textOf(segments)
  return {
    run_id: run.run_id,
    conversation_id: run.conversation_id,
    original_request: run.question,
    final_response: text,
    final_answer: text,
    finish_reason: segments.some(isCutShort) ? 'length' : 'stop',
    grounded,
    answerer,
    ...(fallbacks.length > 0 && { fallbacks }),
    citations: citationsOf(segments),
    steps,
    usage,
    execution_time: seconds,
  }
}

/** What the last event of a stream says. */
export function lastWords({ ending, ...run }: Run): object {
  if (!ending) return {}
  if (ending.state === 'done') return replyOf(run, ending)
  const { usage } = ending
  if (ending.state === 'cancelled') return { run_id: run.run_id, usage }
  const failed = failureOf(ending)
  const { code, message } = failed
  const retry_after = retryAfterOf(failed)
  const again = retry_after !== undefined && { retry_after }
  return { code, message, error: message, request_id: ending.request_id ?? null, ...again, run_id: run.run_id, usage }
}
