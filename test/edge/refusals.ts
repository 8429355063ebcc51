// What a refusal of the edge looks like: the one failure body, with the code and the sentence of the closed list.
import type { Test } from 'tap'
import { type FailureCode, failures } from '../../src/contracts/failure.ts'
import type { Reply } from './edge.ts'

/** Passes when the reply is this failure, worded as everywhere, as JSON, with nothing else in it. */
export function isFailure(t: Test, reply: Reply, code: FailureCode, name: string = code) {
  const [status, message] = failures[code]
  const { request_id, ...body } = reply.json
  t.equal(reply.status, status, `${name}: status`)
  t.equal(reply.headers['content-type'], 'application/json; charset=utf-8', `${name}: media type`)
  t.strictSame(body, { code, message, error: message }, `${name}: body`)
  t.match(request_id ?? 'none', /^[\w-]+$/, `${name}: request id`)
  t.ok(
    request_id === undefined ? false : request_id === (reply.headers['x-request-id'] ?? null),
    `${name}: the same id in the header`,
  )
}
