// A model's text as it comes, cut into pieces that can be judged: a run of sentences and the markers after it. Markers are taken out here,
// known or not, so that none of a model's own ever leaves; what cannot yet be told to be whole is held back.
import { sentences } from '../../answering/sentences.ts'
import { seen } from '../segments.ts'

/** Longest text held back while no marker and no line end comes, in characters. */
const HELD_CHARS_MAX = 4000

/** The ways models write a marker: [1], [1, 2], [^1], 【1†source】, [passage 1]. */
const MARKER = String.raw`[\[【]\s*(?:\^|(?:passages?|sources?|docs?|documents?)\s*)?\d{1,3}(?:\s*[,;–-]\s*\d{1,3})*\s*(?:†[^\]】\n]{0,80})?[\]】]`
const MARKERS = new RegExp(MARKER, 'giu')
/** A run that ends in markers, once something follows that is no marker. */
const RUN = new RegExp(String.raw`^[^\n]*?${MARKER}(?:\s{0,3}${MARKER})*[.!?…。！？,;:]?(?=[^\S\n]+[^\s\[【]|\n)`, 'iu')
const LINE = /^[^\n]*\n/

export interface Block {
  /** Without markers; begins with a line end where a new line begins. */
  sentences: string[]
  /** The numbers its markers name. */
  marks: number[]
}

/**
 * Cuts a text that comes in parts. `isUnmarked`: markers mean nothing, and each whole sentence is given at once; otherwise a run is held until its
 * markers or the end of its line are there.
 */
export function openBlocks(isUnmarked: boolean) {
  let held = ''
  let breaks = ''

  function block(text: string): Block[] {
    const lines = /\n+$/.exec(text)?.[0] ?? ''
    const marks = [...text.matchAll(MARKERS)].flatMap(([marker]) => [...marker.matchAll(/\d{1,3}/g)].map(Number))
    const plain = text.replace(MARKERS, '').replace(/[^\S\n]+([.!?,;:])/g, '$1')
    const cut = [...sentences(plain)].map(({ start, end }) => plain.slice(start, end).trim()).filter(one => /[^\s.,;:]/.test(one))
    const [first, ...rest] = cut
    const opening = breaks
    if (first !== undefined) breaks = ''
    breaks += lines
    return first === undefined ? [] : [{ sentences: [opening + first, ...rest], marks }]
  }

  function* whole(): Generator<string> {
    for (;;) {
      const run = isUnmarked ? wholeSentence(held) : (RUN.exec(held)?.[0] ?? LINE.exec(held)?.[0])
      const part = run ?? (held.length > HELD_CHARS_MAX ? held : undefined)
      if (part === undefined) return
      held = held.slice(part.length)
      yield part
    }
  }

  return {
    /** The blocks that are whole now that `text` has come. */
    *push(text: string): Generator<Block> {
      held = seen(held + text)
      for (const part of whole()) yield* block(part)
    },
    /** What is left at the end. */
    *end(): Generator<Block> {
      for (const part of whole()) yield* block(part)
      yield* block(held)
      held = ''
    },
  }
}

/** The first sentence of a text, when another has begun after it. */
function wholeSentence(text: string): string | undefined {
  const [first, second] = sentences(text)
  return first && second ? text.slice(first.start, first.end) : undefined
}
