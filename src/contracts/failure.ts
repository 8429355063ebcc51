// The closed list of failure codes and the one body they all travel in. Every door answers with this shape, Envoy's own
// refusals included; a code that is not here cannot be thrown.
import Type, { type Static } from 'typebox'

/** code → [HTTP status, the sentence a person reads]. 5xx sentences are constant: they never carry a cause. */
export const failures = {
  invalid_request: [400, 'The request is not valid'],
  unauthenticated: [401, 'Sign in: send "Authorization: Bearer <access token or API key>"'],
  invalid_credentials: [401, 'The username or the password is wrong'],
  token_expired: [401, 'The token has expired; refresh it or sign in again'],
  forbidden: [403, 'Your role or key does not permit this'],
  not_found: [404, 'There is nothing here, or it is not yours'],
  method_not_allowed: [405, 'This address does not take that method'],
  not_acceptable: [406, 'None of the accepted media types can be served'],
  timeout: [408, 'The request took too long to arrive; send it again'],
  conflict: [409, 'That conflicts with what is already there'],
  gone: [410, 'That version is no longer kept'],
  precondition_failed: [412, 'The thing has changed since you read it; read it again'],
  too_large: [413, 'That is larger than the limit'],
  unsupported_type: [415, 'That media type is not accepted here'],
  range_not_satisfiable: [416, 'The range lies outside the text'],
  no_text: [422, 'The document holds no text that could be read; a scan needs text recognition first'],
  encrypted: [422, 'The document is encrypted; upload it without a password'],
  damaged: [422, 'The document is damaged and could not be read'],
  locked: [423, 'Too many failed attempts; wait before you try again'],
  rate_limited: [429, 'Too many requests; wait before you try again'],
  headers_too_large: [431, 'The request headers are larger than the limit'],
  cancelled: [499, 'The request was cancelled'],
  internal: [500, 'Something went wrong here; the request id helps to find it in the log'],
  bad_upstream: [502, 'A service this one depends on gave an answer that could not be used'],
  unavailable: [503, 'The service is not available just now; try again shortly'],
  deadline: [504, 'The answer took longer than allowed'],
  storage_full: [507, 'There is no room left to store this'],
} as const satisfies Record<string, readonly [number, string]>

export type FailureCode = keyof typeof failures

export const FailureBody = Type.Object(
  {
    code: Type.Enum(Object.keys(failures) as FailureCode[]),
    message: Type.String(),
    error: Type.String({ description: 'The same as `message`, for older clients' }),
    request_id: Type.Union([Type.String(), Type.Null()]),
    details: Type.Optional(Type.Array(Type.Object({ path: Type.String(), problem: Type.String() }))),
  },
  { title: 'Failure' },
)
export type FailureBody = Static<typeof FailureBody>
