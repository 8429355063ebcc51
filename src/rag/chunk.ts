// Cuts canonical text into the passages that are embedded and cited: byte ranges that follow headings and sentences, hold at most
// `tokensMax` tokens and never end inside a grapheme. Sentences are packed greedily; one that is too long is cut between words, or between
// graphemes where there are no words, so that any input ends. Every character is counted a bounded number of times.
import { HEADING_JOINT, type Section } from './extract/canonical.ts'
import { type Piece, pieces, type Size } from './pieces.ts'

/** Bytes `start_byte` (inclusive) to `end_byte` (exclusive) of the text are exactly `content`. `heading` is the path all of it stands under. */
export type Chunk = Place & { content: string; page?: number; heading?: string }
export type Place = { start_byte: number; end_byte: number }

/** `countTokens` is the embedding model's own count of what it would read; `overlapTokens` is the most a chunk repeats of the one before it. */
export type ChunkOptions = { countTokens: (text: string) => number; tokensMax: number; overlapTokens: number }

/** A piece, as bytes of the whole text, and the section it stands in. */
type Placed = Piece & { section: Section }

/** A chunk is bounded in bytes too: a tokenizer may count a megabyte without a blank as one unknown word. */
const BYTES_PER_TOKEN = 12
/** Of a chunk at most this share repeats the one before, however much was asked for: else a long text becomes a chunk per sentence. */
const OVERLAP_SHARE_MAX = 0.5
/** A heading closes the chunk before it once that holds this share of `tokensMax`; smaller sections stay together. */
const FILLED_ENOUGH = 0.25

/**
 * Chunks in the order of the text; together they hold every character that is not blank. What lies between the sections is cut as paragraphs.
 * A grapheme that alone is longer than a chunk may be is cut between code points; a code point is never cut, whatever its tokens.
 */
export function chunk(text: string, sections: Section[], options: ChunkOptions): Chunk[] {
  const bytes = Buffer.from(text)
  const size = measure(options)
  const overlapTokens = Math.min(options.overlapTokens, size.tokensMax * OVERLAP_SHARE_MAX)
  const chunks: Chunk[] = []
  let held: Placed[] = []
  let repeated = 0 // so many of the held pieces stand in the previous chunk already

  function close(overlap: number) {
    const count = largest(bytes, held, repeated, size)
    chunks.push(made(bytes, held.slice(0, count)))
    const again = tail(held.slice(0, count), overlap)
    held = [...again, ...held.slice(count)]
    repeated = again.length
  }
  for (const section of withGaps(sections, bytes.length)) {
    const announces = section.kind === 'heading' && held.at(-1)?.section.kind !== 'heading'
    if (announces && sum(held) >= size.tokensMax * FILLED_ENOUGH) {
      while (held.length > repeated) close(0)
    }
    for (const piece of placed(bytes, section, size)) {
      while (held.length > repeated && !fits(held, piece, size)) close(overlapTokens)
      while (repeated > 0 && !fits(held, piece, size)) {
        held.shift()
        repeated--
      }
      held.push(piece)
    }
  }
  while (held.length > repeated) close(0)
  return chunks
}

/** Tokens are counted without the marks a model puts around every text, which a chunk pays for once. */
function measure({ countTokens, tokensMax }: ChunkOptions): Size {
  const marks = countTokens('')
  const room = Math.max(1, tokensMax - marks)
  return { countTokens: text => Math.max(1, countTokens(text) - marks), tokensMax: room, bytesMax: room * BYTES_PER_TOKEN }
}

/** The sections, and what lies between and around them as paragraphs: no byte is out of reach. */
function* withGaps(sections: Section[], length: number): Generator<Section> {
  let at = 0
  for (const section of sections) {
    if (section.start > at) yield { start: at, end: section.start, kind: 'paragraph' }
    yield section
    at = section.end
  }
  if (at < length) yield { start: at, end: length, kind: 'paragraph' }
}

/** The pieces of a section, their UTF-16 ranges turned into bytes of the whole text. */
function* placed(bytes: Buffer, section: Section, size: Size): Generator<Placed> {
  const text = bytes.toString('utf8', section.start, section.end)
  let at = 0
  let byte = section.start
  for (const { start, end, tokens } of pieces(text, size)) {
    const from = byte + Buffer.byteLength(text.slice(at, start))
    byte = from + Buffer.byteLength(text.slice(start, end))
    at = end
    yield { start: from, end: byte, tokens, section }
  }
}

function sum(held: Placed[]): number {
  return held.reduce((tokens, piece) => tokens + piece.tokens, 0)
}

function fits(held: Placed[], next: Placed, size: Size): boolean {
  return sum(held) + next.tokens <= size.tokensMax && next.end - (held[0]?.start ?? next.start) <= size.bytesMax
}

/**
 * How many of the held pieces make the next chunk. The count of the whole decides (sums of parts are near it, not always above it), and
 * headings at the end wait for what they announce. At least one piece that is not a repetition, so there is always progress.
 */
function largest(bytes: Buffer, held: Placed[], repeated: number, size: Size): number {
  let count = held.length
  while (count > repeated + 1 && held[count - 1]?.section.kind === 'heading') count--
  for (;;) {
    const tokens = size.countTokens(bytes.toString('utf8', held[0]?.start, held[count - 1]?.end))
    if (tokens <= size.tokensMax || count <= repeated + 1) return count
    count = Math.max(repeated + 1, Math.min(count - 1, Math.floor((count * size.tokensMax) / tokens)))
  }
}

/** The last pieces of a chunk that hold at most `overlap` tokens, never all of it. Rows and headings are not repeated. */
function tail(pieces: Placed[], overlap: number): Placed[] {
  let from = pieces.length
  let tokens = 0
  while (from > 1 && pieces[from - 1]?.section.kind === 'paragraph') {
    tokens += pieces[from - 1]?.tokens ?? 0
    if (tokens > overlap) break
    from--
  }
  return pieces.slice(from)
}

function made(bytes: Buffer, held: Placed[]): Chunk {
  const start_byte = held[0]?.start ?? 0
  const end_byte = held.at(-1)?.end ?? 0
  const page = held[0]?.section.page
  const heading = commonPath(held.map(piece => piece.section.heading ?? ''))
  return {
    start_byte,
    end_byte,
    content: bytes.toString('utf8', start_byte, end_byte),
    ...(page && { page }),
    ...(heading && { heading }),
  }
}

function commonPath(headings: string[]): string {
  const [first = [], ...others] = [...new Set(headings)].map(heading => heading.split(HEADING_JOINT))
  const differs = first.findIndex((step, depth) => others.some(path => path[depth] !== step))
  return (differs === -1 ? first : first.slice(0, differs)).join(HEADING_JOINT)
}
