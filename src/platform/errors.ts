// Failures: how one is thrown, and how everything that is thrown becomes the one failure body. Nothing of the cause of a 5xx
// leaves the house; it goes to the log under the request id.
import { STATUS_CODES } from 'node:http'
import type { Socket } from 'node:net'
import type { FastifyError, FastifyReply, FastifyRequest } from 'fastify'
import { type FailureBody, type FailureCode, failures } from '../contracts/failure.ts'

export interface FailureExtras {
  details?: { path: string; problem: string }[]
  headers?: Record<string, string | number>
  cause?: unknown
}

/** What `failure()` makes. `message` is for the person who sent the request. */
export class Failure extends Error {
  override readonly name = 'Failure'
  readonly code: FailureCode
  readonly statusCode: number
  readonly extras: FailureExtras

  constructor(code: FailureCode, message: string, extras: FailureExtras) {
    super(message, { cause: extras.cause })
    this.code = code
    this.statusCode = failures[code][0]
    this.extras = extras
  }
}

/** Makes a failure to throw. Without a sentence of its own it says the code's constant one; a 5xx always does. */
export function failure(code: FailureCode, message?: string, extras: FailureExtras = {}): Failure {
  const [status, sentence] = failures[code]
  return new Failure(code, message === undefined || (status >= 500 && status !== 507) ? sentence : message, extras)
}

/** Seconds a client is asked to wait when something here is away. */
const RETRY_AFTER_S = 1

const fastifyCodes: Record<string, FailureCode> = {
  FST_ERR_CTP_INVALID_MEDIA_TYPE: 'unsupported_type',
  FST_ERR_CTP_BODY_TOO_LARGE: 'too_large',
  FST_REQ_FILE_TOO_LARGE: 'too_large',
  FST_FILES_LIMIT: 'too_large',
  FST_PARTS_LIMIT: 'too_large',
  FST_FIELDS_LIMIT: 'too_large',
  FST_INVALID_MULTIPART_CONTENT_TYPE: 'unsupported_type',
}

const sentences: Record<string, string> = {
  FST_ERR_CTP_INVALID_JSON_BODY: 'The body is not valid JSON',
  FST_ERR_CTP_INVALID_CONTENT_LENGTH: 'The body is not as long as Content-Length says',
  FST_ERR_BAD_URL: 'The address is not a valid one',
}

const statusCodes: Record<number, FailureCode> = {
  401: 'unauthenticated',
  403: 'forbidden',
  404: 'not_found',
  405: 'method_not_allowed',
  408: 'timeout',
  413: 'too_large',
  415: 'unsupported_type',
  429: 'rate_limited',
  431: 'headers_too_large',
  503: 'unavailable',
}

/** Said when Redis is away, silent, still loading, or may not write (a full disk, no replica); a script error of ours is not among them. */
const redisAway =
  /^(Command timed out|Connection is closed|Stream isn't writeable|Reached the max retries|LOADING |MASTERDOWN |READONLY |CLUSTERDOWN |MISCONF |NOREPLICAS |connect ECONN)/

/** What may have been thrown: Fastify's errors, and those of ioredis. */
type Thrown = Partial<FastifyError> & { previousErrors?: Error[] }

/** Turns anything thrown into a failure: Fastify's own errors by their code, Redis away as 503, the rest as 500. */
export function asFailure(error: unknown): Failure {
  if (error instanceof Failure) return error
  const { code = '', statusCode = 500, validation, message = '', previousErrors = [] } = (error ?? {}) as Thrown
  if (validation) {
    // An unknown field is told by its own path, so the second telling, by the object that holds it, is left out.
    const details = validation
      .filter(({ keyword }) => keyword !== 'additionalProperties')
      .map(({ instancePath, keyword, message: problem = 'is not valid' }) => ({
        path: instancePath || '/',
        problem: keyword === 'boolean' ? 'is not a field that is known here' : problem,
      }))
    const [first] = details
    return failure('invalid_request', `The request is not valid: ${first?.path} ${first?.problem}`, {
      details: details.slice(0, 10),
    })
  }
  const known = fastifyCodes[code]
  if (known) return failure(known, undefined, { cause: error })
  // A transaction is refused as a whole, for what was said of a command in it.
  const said = previousErrors[0]?.message ?? message
  if (redisAway.test(said)) return failure('unavailable', undefined, { cause: error })
  if (said.startsWith('OOM ')) return failure('storage_full', undefined, { cause: error })
  if (statusCode >= 400 && statusCode < 500)
    return failure(statusCodes[statusCode] ?? 'invalid_request', sentences[code], { cause: error })
  return failure(statusCode === 503 ? 'unavailable' : 'internal', undefined, { cause: error })
}

/** The failure as it goes over the wire. */
export function failureBody(given: Failure, requestId: string | null): FailureBody {
  const { code, message, extras } = given
  return { code, message, error: message, request_id: requestId, ...(extras.details && { details: extras.details }) }
}

/** In how many seconds to ask again, where a failure says so. */
export function retryAfterOf({ code, extras: { headers = {} } }: Failure): number | undefined {
  if ('retry-after' in headers) return Number(headers['retry-after'])
  return code === 'unavailable' ? RETRY_AFTER_S : undefined
}

/** Fastify's error handler: logs what is ours to mend, answers with the failure body. */
export function answerFailure(error: unknown, request: FastifyRequest, reply: FastifyReply) {
  const given = asFailure(error)
  if (given.statusCode >= 500) request.log.error({ err: given.cause ?? given }, given.code)
  if (given.extras.headers) reply.headers(given.extras.headers)
  const retryAfter = retryAfterOf(given)
  if (retryAfter !== undefined) reply.header('retry-after', retryAfter)
  return reply
    .code(given.statusCode)
    .type('application/json; charset=utf-8')
    .serializer(JSON.stringify)
    .send(failureBody(given, request.id))
}

/** What of an error goes to the log. Nothing else does: an error of Redis carries its whole command, hashes and texts included. */
export function loggedError({ name, message, stack = '', code, cause }: LoggableError): LoggedError {
  return { type: name, message, stack, code, ...(cause instanceof Error && { cause: loggedError(cause) }) }
}
type LoggableError = Error & { code?: string }
type LoggedError = { type: string; message: string; stack: string; [field: string]: unknown }

/** What Node's HTTP parser could not read: answered on the bare socket, in the same body, and closed. */
export function answerSocket(error: NodeJS.ErrnoException, socket: Socket) {
  if (!socket.writable || error.code === 'ECONNRESET') return socket.destroy()
  const code =
    ({ HPE_HEADER_OVERFLOW: 'headers_too_large', ERR_HTTP_REQUEST_TIMEOUT: 'timeout' } as const)[error.code ?? ''] ??
    'invalid_request'
  const body = JSON.stringify(failureBody(failure(code), null))
  const head = `HTTP/1.1 ${failures[code][0]} ${STATUS_CODES[failures[code][0]]}\r\nConnection: close\r\nContent-Type: application/json; charset=utf-8`
  socket.end(`${head}\r\nContent-Length: ${Buffer.byteLength(body)}\r\n\r\n${body}`)
}
