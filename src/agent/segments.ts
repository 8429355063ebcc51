// An answer as it is kept: pieces of text, each with the citation it rests on, so that erasing a document takes out exactly what came
// from it. What a person reads is put together from the pieces at every reading.
import type { Citation } from './schemas.ts'

export interface Segment {
  text: string
  citation?: Citation
}

/** What stands where everything an answer said has been erased. */
const ERASED = 'What this answer rested on has been erased.'

/** The pieces as one text; the deltas of a stream, joined, give the same. */
export function textOf(segments: Segment[]): string {
  return segments.map((_, at) => deltaOf(segments, at)).join('')
}

/** What piece `at` adds to the text before it. */
export function deltaOf(segments: Segment[], at: number): string {
  return `${at === 0 ? '' : ' '}${segments[at]?.text ?? ''}`
}

export function citationsOf(segments: Segment[]): Citation[] {
  return segments.flatMap(({ citation }) => (citation ? [citation] : []))
}

/** The documents an answer rests on, each once. */
export function documentsOf(segments: Segment[]): string[] {
  return [...new Set(citationsOf(segments).map(({ document_id }) => document_id))]
}

/** The answer without what came from a document. */
export function without(segments: Segment[], documentId: string): Segment[] {
  const left = segments.filter(({ citation }) => citation?.document_id !== documentId)
  return left.length > 0 ? left : [{ text: ERASED }]
}

// Zero-width, bidirectional and tag characters that show nothing and can hide or reorder text. ZWJ and ZWNJ stay: scripts need them.
const INVISIBLE =
  /[\u{AD}\u{200B}\u{200E}\u{200F}\u{202A}-\u{202E}\u{2060}-\u{2064}\u{2066}-\u{2069}\u{FEFF}\u{E0000}-\u{E007F}]/gu
const LINK = /!?\[([^\]\n]*)\]\([^)\n]*\)/g
const MARKER = /\[(\d{1,3})\]/g

/** Document text as it may stand in an answer: no hidden characters, no links, and nothing that looks like one of our markers. */
export function shown(text: string): string {
  return text.replace(INVISIBLE, '').replace(LINK, '$1').replace(MARKER, '($1)')
}
