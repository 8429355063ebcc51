// The agent's only way to documents: rag, over HTTP, with the caller's own credential and address. What she may not see, it cannot see
// either. Every wait is bounded, and rag being away is said, never guessed around.
import Type, { type Static, type TProperties, type TSchema } from 'typebox'
import { Compile, type Validator } from 'typebox/compile'
import type { FailureBody } from '../contracts/failure.ts'
import { type Passage, SearchReply, type SearchRequest } from '../contracts/search.ts'
import { failure } from '../platform/errors.ts'
import { openWire, type Received, type Sent } from './wire.ts'

/** Longest wait for a search, and for bytes of a text, in milliseconds. */
export const SEARCH_MS_MAX = 8000
const BYTES_MS_MAX = 4000

const searchReply = Compile(SearchReply)
const head = Compile(Type.Object({ title: Type.String(), collection_id: Type.String() }))

/** As whom rag is asked: the caller's own `Authorization` header, and the address she asked from. */
export interface Asker {
  authorization: string
  address: string
  /** Told on, so that one question can be followed through both logs. */
  requestId?: string
}

/** Which bytes of which text: `end_byte` is exclusive, offsets count in the canonical UTF-8 text `version`. */
export interface Place {
  document_id: string
  version: string
  start_byte: number
  end_byte: number
}

export type Evidence = ReturnType<typeof openEvidence>

/** Opens the way to rag at `url`. */
export function openEvidence(url: string) {
  const exchange = openWire(url)

  async function ask(
    path: string,
    asker: Asker,
    init: Omit<Sent, 'signal'>,
    msMax: number,
    signal?: AbortSignal,
  ): Promise<Received> {
    const late = AbortSignal.timeout(msMax)
    const { authorization, address, requestId } = asker
    const headers = {
      ...init.headers,
      authorization,
      'x-forwarded-for': address,
      ...(requestId && { 'x-request-id': requestId }),
    }
    return exchange(path, { ...init, headers, signal: signal ? AbortSignal.any([late, signal]) : late }).catch(cause => {
      if (signal?.aborted) throw failure('cancelled', undefined, { cause })
      throw failure(late.aborted ? 'deadline' : 'unavailable', undefined, { cause })
    })
  }

  return {
    /** Passages the caller may see, best first. Throws the caller's own 401, 403, 404 and 429, and `unavailable` or `deadline`. */
    async search(asker: Asker, request: SearchRequest, signal?: AbortSignal): Promise<Passage[]> {
      const init = { method: 'POST' as const, body: JSON.stringify(request), headers: { 'content-type': 'application/json' } }
      const reply = await ask('/search', asker, init, SEARCH_MS_MAX, signal)
      return demand(reply, searchReply).passages
    },

    /** The bytes at a place, or nothing when they are not there for this caller (any more). Throws every other refusal. */
    async bytes(
      asker: Asker,
      { document_id, version, start_byte, end_byte }: Place,
      signal?: AbortSignal,
    ): Promise<Buffer | undefined> {
      const headers = { range: `bytes=${start_byte}-${end_byte - 1}` }
      const reply = await ask(textPath({ document_id, version }), asker, { headers }, BYTES_MS_MAX, signal)
      if (reply.status === 206) return reply.body
      if (NOT_THERE.has(reply.status)) return undefined
      throw refusal(reply)
    },

    /**
     * A part of a canonical text (the newest, unless `version` is named), at most `bytesMax` bytes from `start_byte` on, whole
     * characters only: what begins within one begins after it. `end_byte` is where the next part begins; `size` is the whole text's, in bytes.
     */
    async read(
      asker: Asker,
      {
        document_id,
        version,
        start_byte,
        bytesMax,
      }: Omit<Place, 'version' | 'end_byte'> & { version?: string; bytesMax: number },
      signal?: AbortSignal,
    ) {
      const headers = { range: `bytes=${start_byte}-${start_byte + bytesMax - 1}` }
      const reply = await ask(textPath({ document_id, version }), asker, { headers }, BYTES_MS_MAX, signal)
      if (reply.status !== 206) throw refusal(reply)
      const begin = Math.max(0, reply.body.findIndex(isFirstOfCharacter))
      const text = new TextDecoder('utf-8', { ignoreBOM: true }).decode(reply.body.subarray(begin), { stream: true })
      const start = start_byte + begin
      const size = Number(/\/(\d+)$/.exec(reply.headers['content-range'] ?? '')?.[1] ?? reply.body.length)
      const [, named = version ?? ''] = /^"(\w+)"$/.exec(reply.headers.etag ?? '') ?? []
      return { text, version: named, start_byte: start, end_byte: start + Buffer.byteLength(text), size }
    },

    /** What a document is called, and where it lies. */
    async head(asker: Asker, document_id: string, signal?: AbortSignal) {
      const reply = await ask(`/documents/${encodeURIComponent(document_id)}`, asker, {}, BYTES_MS_MAX, signal)
      return demand(reply, head)
    },
  }
}

/** How rag says that a place is not there. */
const NOT_THERE = new Set([404, 410, 416])

/** Whether a byte of UTF-8 begins a character. */
const isFirstOfCharacter = (byte: number) => (byte & 0xc0) !== 0x80

/** Where rag serves a canonical text, from its own root. */
export function textPath({ document_id, version }: { document_id: string; version?: string }): string {
  const query = version === undefined ? '' : `?version=${encodeURIComponent(version)}`
  return `/documents/${encodeURIComponent(document_id)}/text${query}`
}

const passedOn = {
  400: 'invalid_request',
  401: 'unauthenticated',
  403: 'forbidden',
  404: 'not_found',
  410: 'gone',
  416: 'range_not_satisfiable',
  429: 'rate_limited',
} as const

/** What a refusal for a limit says of it. */
const LIMIT_HEADERS = new Set(['retry-after', 'ratelimit-limit', 'ratelimit-remaining', 'ratelimit-reset'])

function refusal({ status, headers, body }: Received) {
  const code = passedOn[status as keyof typeof passedOn] ?? (status >= 500 ? 'unavailable' : 'bad_upstream')
  const told = Object.entries(headers).filter((entry): entry is [string, string] => LIMIT_HEADERS.has(entry[0]))
  return failure(code, code === 'invalid_request' ? sentenceOf(body) : undefined, {
    ...(code === 'rate_limited' && { headers: Object.fromEntries(told) }),
  })
}

/** What a refused caller is to do, in rag's words. */
function sentenceOf(body: Buffer): string | undefined {
  try {
    const { message }: Partial<FailureBody> = JSON.parse(body.toString())
    return message
  } catch {
    return undefined
  }
}

/** What a reply holds, if it is what was asked for. */
function demand<Shape extends TSchema>(reply: Received, shape: Validator<TProperties, Shape>): Static<Shape> {
  if (reply.status !== 200) throw refusal(reply)
  try {
    const found: unknown = JSON.parse(reply.body.toString())
    if (shape.Check(found)) return found
  } catch (cause) {
    throw failure('bad_upstream', undefined, { cause })
  }
  throw failure('bad_upstream')
}
