// Which bytes of a file a request gets: conditions and one byte range, as RFC 9110 (sections 13 and 14) says. Entity tags are strong:
// each names the exact bytes.
import { failure } from '../platform/errors.ts'

export interface Conditions {
  'if-match'?: string
  'if-none-match'?: string
  'if-range'?: string
  range?: string
}

/** What to answer with: bytes `start` (inclusive) to `end` (exclusive). */
export interface Part {
  status: 200 | 206 | 304
  start: number
  end: number
}

/**
 * Decides on a GET of `bytes` bytes named `etag` (without quotes). Throws `precondition_failed` and `range_not_satisfiable`. A list of
 * ranges and a malformed range are answered whole, which the RFC allows.
 */
export function partOf(conditions: Conditions, etag: string, bytes: number): Part {
  const { 'if-match': ifMatch, 'if-none-match': ifNoneMatch, 'if-range': ifRange, range } = conditions
  const whole = { status: 200, start: 0, end: bytes } as const
  if (ifMatch !== undefined && !tags(ifMatch).some(tag => tag === '*' || tag === `"${etag}"`))
    throw failure('precondition_failed')
  if (ifNoneMatch !== undefined && tags(ifNoneMatch).some(tag => tag === '*' || tag.replace(/^W\//, '') === `"${etag}"`)) {
    return { status: 304, start: 0, end: 0 }
  }
  if (range === undefined || (ifRange !== undefined && ifRange !== `"${etag}"`)) return whole

  const [, first, last] = /^bytes=\s*(\d*)-(\d*)\s*$/i.exec(range) ?? []
  if (first === undefined || last === undefined || (first === '' && last === '')) return whole
  const start = first === '' ? Math.max(0, bytes - Number(last)) : Number(first)
  const end = first === '' || last === '' ? bytes : Math.min(bytes, Number(last) + 1)
  if (first !== '' && last !== '' && Number(last) < start) return whole
  if (start >= bytes) throw failure('range_not_satisfiable', undefined, { headers: { 'content-range': `bytes */${bytes}` } })
  return { status: 206, start, end }
}

function tags(list: string): string[] {
  return list.split(',').map(tag => tag.trim())
}
