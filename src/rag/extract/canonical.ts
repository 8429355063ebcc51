// The canonical text of a document: the UTF-8 text that citations point into. Everything that must never reach it (NUL, control
// characters, lone surrogates, other line ends, trailing blanks) goes here and nowhere else, before any offset is counted.
import type { Block } from './blocks.ts'

/** A run of blocks of one kind on one page under one heading: bytes `start` (inclusive) to `end` (exclusive) of the UTF-8 text; `heading` is the path joined by ' › '. */
export type Section = { start: number; end: number; kind: Block['kind']; page?: number; heading?: string }

export const HEADING_JOINT = ' › '
/** A heading is a label beside a passage, not a text: longer ones are cut there (never in the text itself). */
const HEADING_LENGTH_MAX = 120

/**
 * Joins blocks into the canonical text. Rows and list items of one run stand on lines of their own, everything else is set apart by an
 * empty line. A newline inside the text is therefore always one the author meant. Empty blocks vanish.
 */
export function canonical(blocks: Block[]): { text: string; sections: Section[] } {
  const parts: string[] = []
  const sections: Section[] = []
  const path: { level: number; text: string }[] = []
  let end = 0
  let previous: Section | undefined
  for (const block of blocks) {
    const text = clean(block.text)
    if (!text) continue
    if (block.kind === 'heading') {
      const level = block.level ?? 1
      while (path.length && (path.at(-1)?.level ?? 0) >= level) path.pop()
      path.push({ level, text: label(text) })
    }
    if (previous) {
      const joint = previous.kind === block.kind && (block.kind === 'list_item' || block.kind === 'table_row') ? '\n' : '\n\n'
      parts.push(joint)
      end += joint.length
    }
    const start = end
    end += Buffer.byteLength(text)
    parts.push(text)
    const heading = path.map(step => step.text).join(HEADING_JOINT)
    if (
      previous?.kind === block.kind &&
      block.kind !== 'heading' &&
      previous.page === block.page &&
      (previous.heading ?? '') === heading
    ) {
      previous.end = end
      continue
    }
    previous = { start, end, kind: block.kind, ...(block.page && { page: block.page }), ...(heading && { heading }) }
    sections.push(previous)
  }
  return { text: parts.join(''), sections }
}

/**
 * Line ends become `\n`; odd blanks become spaces; control characters other than tab and newline, soft hyphens, stray byte order marks,
 * noncharacters, lone surrogates and what stands for an unreadable character (a parser makes one of `&#xD800;`) go; blanks at line ends
 * and empty lines around go, more than one empty line becomes one.
 */
function clean(text: string): string {
  return text
    .replace(/\r\n?|[\u0085\u2028\u2029\v\f]/g, '\n')
    .replace(/[\u00a0\u202f\u2007]/g, ' ')
    .replace(/[^\P{Cc}\t\n]|[\u00ad\ufeff\ufffd]|\p{Noncharacter_Code_Point}|\p{Surrogate}/gu, '')
    .replace(/(?<![ \t])[ \t]+$/gm, '') // the look-behinds keep a run of a million blanks linear
    .replace(/^\n+|(?<!\n)\n+$/g, '')
    .replace(/\n{3,}/g, '\n\n')
}

/** One line, bounded, cut between graphemes. */
function label(text: string): string {
  const line = text.replace(/\s+/g, ' ').trim()
  if (line.length <= HEADING_LENGTH_MAX) return line
  const cut = new Intl.Segmenter('und').segment(line.slice(0, HEADING_LENGTH_MAX * 2)).containing(HEADING_LENGTH_MAX)
  return line
    .slice(0, cut?.index || HEADING_LENGTH_MAX)
    .trimEnd()
    .toWellFormed()
}
