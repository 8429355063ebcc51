// An answer as it is kept: pieces of text, each with the citation it rests on, so that erasing a document takes out exactly what came
// from it. What a person reads is put together from the pieces at every reading.
import type { Citation } from './schemas.ts'

export interface Segment {
  text: string
  citation?: Citation
  /** Documents that were read for it, where it cites none. */
  from?: string[]
}

/** What stands where everything an answer said has been erased. */
const ERASED = 'What this answer rested on has been erased.'

/** What a language model's answer ends with when it was ended before it had finished. */
export const CUT_SHORT = 'The language model stopped here, before it had finished.'
export const isCutShort = ({ text, citation }: Segment) => text === CUT_SHORT && !citation

/** The pieces as one text; the deltas of a stream, joined, give the same. */
export function textOf(segments: Segment[]): string {
  return segments.map((_, at) => deltaOf(segments, at)).join('')
}

/** What piece `at` adds to the text before it: a blank, unless it begins a line. */
export function deltaOf(segments: Segment[], at: number): string {
  const text = segments[at]?.text ?? ''
  return at === 0 || text.startsWith('\n') ? text : ` ${text}`
}

export function citationsOf(segments: Segment[]): Citation[] {
  return segments.flatMap(({ citation }) => (citation ? [citation] : []))
}

/** The documents an answer rests on, or was made from, each once. */
export function documentsOf(segments: Segment[]): string[] {
  return [...new Set(segments.flatMap(({ citation, from = [] }) => (citation ? [citation.document_id] : from)))]
}

/** The answer without what came from a document. */
export function without(segments: Segment[], documentId: string): Segment[] {
  const left = segments.filter(({ citation, from }) => citation?.document_id !== documentId && !from?.includes(documentId))
  return left.length > 0 ? left : [{ text: ERASED }]
}

// Zero-width, bidirectional, tag and added variation characters that show nothing and can hide or reorder text. ZWJ and ZWNJ stay: scripts
// need them.
const INVISIBLE =
  /[\u{AD}\u{200B}\u{200E}\u{200F}\u{202A}-\u{202E}\u{2060}-\u{2064}\u{2066}-\u{2069}\u{FEFF}\u{E0000}-\u{E007F}]|[\u{E0100}-\u{E01EF}]/gu
const LINK = /!?\[([^\]\n]*)\]\([^)\n]*\)/g
/** What makes a link of brackets together with what comes later, perhaps on another line: `[a](`, `[a]:`. */
const OPEN_LINK = /\](?=[(:])/g
const MARKER = /\[(\d{1,3})\]/g
/** Elements that load or lead somewhere. */
const ELEMENT =
  /<\/?(?:a|area|audio|base|embed|form|frame|iframe|image|img|input|link|meta|object|script|source|style|svg|video)\b[^>]{0,2000}>?/gi
/** Whatever a client might make a link of: with a scheme, without one, or a host with a path. */
const ADDRESS =
  /\b(?:[a-z][a-z0-9+.-]{1,20}:\/\/|www\.|(?:mailto|javascript|vbscript|tel|sms|blob):(?=\S)|data:(?=[\w/+.-]{1,80}[;,]))[^\s<>"'`]*|(?<![\p{L}\p{N}_:/.])(?:\/\/)?(?:[\p{L}\p{N}_-]{1,63}\.){1,8}\p{L}{2,24}(?::\d{1,5})?(?:\/|[?#][\p{L}\p{N}=&%])[^\s<>"'`]*/giu
const ADDRESS_LEFT_OUT = '(link)'

/** Text without what cannot be seen. */
export function seen(text: string): string {
  return text.replace(INVISIBLE, '')
}

/** Text as it may stand in an answer: no hidden characters, no links, and nothing that looks like one of our markers. */
export function shown(text: string): string {
  const plain = seen(text).replace(LINK, '$1').replace(ELEMENT, '').replace(ADDRESS, ADDRESS_LEFT_OUT)
  return plain.replace(OPEN_LINK, '] ').replace(MARKER, '($1)')
}
