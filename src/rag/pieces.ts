// The smallest parts a text is cut into: its sentences, and of a sentence too long for a chunk as few parts as will do, cut between words or
// else between graphemes. A long text is looked at through a window, so time grows with its length and no faster.
import { sentences } from '../answering/sentences.ts'

/** A range without the blanks around it, and how many tokens it holds. */
export type Piece = { start: number; end: number; tokens: number }

/** What a piece, and a chunk, may hold at most. `countTokens` is never asked about more than a window. */
export type Size = { countTokens: (text: string) => number; tokensMax: number; bytesMax: number }

const words = new Intl.Segmenter('und', { granularity: 'word' })
const graphemes = new Intl.Segmenter('und', { granularity: 'grapheme' })

/** The pieces of `text` in order, as UTF-16 ranges; together they hold all of it but blanks. */
export function* pieces(text: string, size: Size): Generator<Piece> {
  let at = 0
  while (at < text.length) {
    const window = text.slice(at, at + size.bytesMax).replace(/[\ud800-\udbff]$/, '') // half a pair would look like a border
    const isLast = at + window.length === text.length
    let done = 0
    for (const { end } of sentences(window)) {
      if (end === window.length && !isLast) break // it may go on beyond the window
      yield* fitting(window.slice(done, end), at + done, size)
      done = end
    }
    if (done === 0) {
      done = boundary(window, window.length - 1)
      yield* fitting(window.slice(0, done), at, size)
    }
    at += done
  }
}

/** Cuts one sentence until every part fits; `offset` is where it stands. */
function* fitting(whole: string, offset: number, size: Size): Generator<Piece> {
  const { start: from, end } = withoutBlanks(whole)
  const text = whole.slice(from, end)
  const start = offset + from
  if (!text) return
  const tokens = size.countTokens(text)
  const shares = Math.ceil(Math.max(tokens / size.tokensMax, Buffer.byteLength(text) / size.bytesMax))
  const cut = shares > 1 ? boundary(text, Math.ceil((text.length * Math.floor(shares / 2)) / shares)) : text.length
  if (cut === text.length) {
    yield { start, end: start + text.length, tokens }
    return
  }
  yield* fitting(text.slice(0, cut), start, size)
  yield* fitting(text.slice(cut), start + cut, size)
}

/** The range without blanks at its ends, except a blank that is one grapheme with its neighbour (a mark may stand on a space). */
function withoutBlanks(whole: string): { start: number; end: number } {
  const end = whole.trimEnd().length
  if (end === 0) return { start: 0, end }
  const start = whole.length - whole.trimStart().length
  const all = graphemes.segment(whole)
  const first = start > 0 ? all.containing(start) : undefined
  const last = end < whole.length ? all.containing(end - 1) : undefined
  return { start: first?.index ?? start, end: last ? last.index + last.segment.length : end }
}

/**
 * Where to cut `text` at or before `target`: before a word, else before a grapheme, else after the first grapheme, else (all of it is one
 * grapheme) between code points. More than 0; the length of the text only if that is a single code point.
 */
function boundary(text: string, target: number): number {
  const word = words.segment(text).containing(target)?.index ?? 0
  const grapheme = graphemes.segment(text).containing(word > target / 2 ? word : target)
  if (grapheme && grapheme.index > 0) return grapheme.index
  const first = grapheme?.segment.length ?? 0
  if (first > 0 && first < text.length) return first
  const low = text.charCodeAt(target) >> 10 === 0x37
  return target > 1 || !low ? Math.max(1, low ? target - 1 : target) : Math.min(2, text.length)
}
