// From bytes to text: byte order mark, then strict UTF-8, then what the document declares, then a guess that is reported with its
// confidence. Bytes that mean nothing in the encoding found are left out and counted; a U+FFFD never stands in for them.
import { analyse } from 'chardet'
import type { Coverage } from './blocks.ts'

export type Decoded = { text: string; encoding: NonNullable<Coverage['encoding']>; bytes_skipped: number }

/** How much of the text the guesser looks at, from the first byte that is not ASCII. */
const SAMPLE_BYTES = 64 * 1024
/** Below this share of zero bytes on one side, text is not taken for UTF-16 without a mark. */
const UTF16_ZEROS_MIN = 0.2

/** Decodes all of `bytes`. `declared` is a label the document itself gives (HTML `meta`). Encoding names are those of the WHATWG standard. */
export function decode(bytes: Buffer, declared?: string): Decoded {
  const marked = byMark(bytes)
  if (marked) return lenient(bytes, marked, 1)
  const wide = wideWithoutMark(bytes)
  if (wide) return lenient(bytes, wide, 0.8)
  const utf8 = strict(bytes, 'utf-8')
  if (utf8 !== undefined) return { text: utf8, encoding: { name: 'utf-8', confidence: 1 }, bytes_skipped: 0 }
  if (declared && known(declared)) {
    const text = strict(bytes, declared)
    if (text !== undefined)
      return { text, encoding: { name: new TextDecoder(declared).encoding, confidence: 1 }, bytes_skipped: 0 }
  }
  const broken = brokenUtf8(bytes)
  if (broken) return broken
  const guesses = ranked(sample(bytes))
  for (const { name, confidence } of guesses) {
    const text = strict(bytes, name)
    if (text !== undefined) return { text, encoding: { name: new TextDecoder(name).encoding, confidence }, bytes_skipped: 0 }
  }
  const [best] = guesses
  return lenient(bytes, best?.name ?? 'utf-8', best?.confidence ?? 0)
}

/** UTF-8 with a few bad bytes (cut in the middle of a character, mostly). No other encoding makes sense as UTF-8 for long. */
function brokenUtf8(bytes: Buffer): Decoded | undefined {
  const decoded = new TextDecoder('utf-8').decode(bytes)
  const bad = decoded.length - decoded.replaceAll('\ufffd', '').length
  const good = decoded.replace(/[\0-\x7f]/g, '').length - bad
  return good >= bad * GOOD_PER_BAD ? lenient(bytes, 'utf-8', good / (good + bad)) : undefined
}

const GOOD_PER_BAD = 20

/**
 * The guesser's candidates (confidence 0 to 1), the likeliest first. On a few words its confidence says little, so a candidate gains by making
 * letters of the bytes that are not ASCII: the wrong one mostly makes signs and controls of them.
 */
function ranked(head: Buffer): { name: string; confidence: number }[] {
  return analyse(head)
    .filter(({ name }) => known(name))
    .map(({ name, confidence }) => {
      const text = new TextDecoder(name).decode(head)
      const foreign = text.match(/[^\0-\x7f]/gu) ?? []
      const letters = foreign.filter(character => /[\p{L}\p{M}]/u.test(character)).length
      return { name, confidence: confidence / 100, rank: confidence * (LETTERS_FLOOR + letters / Math.max(1, foreign.length)) }
    })
    .toSorted((a, b) => b.rank - a.rank)
}

/** What a candidate keeps of its confidence without any letters: English with curly quotes has none and is right all the same. */
const LETTERS_FLOOR = 0.3

/** Whether the bytes read as text in some encoding: hardly any control characters (a stray zero byte is one) in the first 64 KiB. */
export function looksLikeText(bytes: Buffer): boolean {
  if (byMark(bytes) || wideWithoutMark(bytes)) return true
  const head = bytes.subarray(0, SAMPLE_BYTES)
  let controls = 0
  for (const byte of head) {
    if (byte < 32 && byte !== 9 && byte !== 10 && byte !== 12 && byte !== 13 && byte !== 27) controls++
  }
  return controls <= 1 + head.length / BYTES_PER_CONTROL
}

/** Of random bytes every tenth is a control character; a text has next to none. */
const BYTES_PER_CONTROL = 50

function byMark(bytes: Buffer): string | undefined {
  if (bytes[0] === 0xef && bytes[1] === 0xbb && bytes[2] === 0xbf) return 'utf-8'
  if (bytes[0] === 0xff && bytes[1] === 0xfe) return 'utf-16le'
  if (bytes[0] === 0xfe && bytes[1] === 0xff) return 'utf-16be'
  return undefined
}

/** Latin text, spaces and line ends in UTF-16 have a zero as every other byte; nothing else that is text has. */
function wideWithoutMark(bytes: Buffer): string | undefined {
  const head = bytes.subarray(0, SAMPLE_BYTES)
  const zeros = [0, 0]
  for (let at = head.indexOf(0); at !== -1; at = head.indexOf(0, at + 1)) zeros[at % 2] = (zeros[at % 2] ?? 0) + 1
  const [even = 0, odd = 0] = zeros.map(count => count / (head.length / 2))
  if (odd >= UTF16_ZEROS_MIN && even < odd / 10) return 'utf-16le'
  if (even >= UTF16_ZEROS_MIN && odd < even / 10) return 'utf-16be'
  return undefined
}

function sample(bytes: Buffer): Buffer {
  const from = bytes.findIndex(byte => byte > 127)
  return bytes.subarray(Math.max(0, from), Math.max(0, from) + SAMPLE_BYTES)
}

function known(name: string): boolean {
  try {
    return Boolean(new TextDecoder(name))
  } catch {
    return false
  }
}

function strict(bytes: Buffer, name: string): string | undefined {
  try {
    return new TextDecoder(name, { fatal: true }).decode(bytes)
  } catch {
    return undefined
  }
}

/** Decodes and leaves out what does not decode. The skipped bytes are counted in the decoded text's own terms: one replacement, one byte at least. */
function lenient(bytes: Buffer, name: string, confidence: number): Decoded {
  const whole = strict(bytes, name)
  const encoding = { name: new TextDecoder(name).encoding, confidence }
  if (whole !== undefined) return { text: whole, encoding, bytes_skipped: 0 }
  const decoded = new TextDecoder(name).decode(bytes)
  const text = decoded.replaceAll('\ufffd', '')
  return { text, encoding, bytes_skipped: decoded.length - text.length }
}
