// What a refusal of the edge looks like: the one failure body, with the code and the sentence of the closed list.
import type { Test } from 'tap'
import { type FailureCode, failures } from '../../src/contracts/failure.ts'
import type { Reply } from './envoy.ts'

/** Passes when the reply is this failure, worded as everywhere, as JSON, under the request id of its header, with nothing else in it. */
export function isFailure(t: Test, reply: Reply, code: FailureCode, name: string = code) {
  const [status, message] = failures[code]
  const request_id = reply.headers['x-request-id'] ?? null
  t.strictSame(
    [reply.status, reply.headers['content-type'], reply.json],
    [status, 'application/json; charset=utf-8', { code, message, error: message, request_id }],
    name,
  )
}
