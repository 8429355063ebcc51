// Plain text: paragraphs are set apart by empty lines, lists keep their items, and lines that were only broken to fit a width are
// joined again, so that a sentence is not cut at the margin.
import type { Block, Reading, Source } from './blocks.ts'

/** Narrower text than this is verse, an address or a table, not prose that was wrapped. */
const WRAP_WIDTH_MIN = 40
const bullet = /^\s*(?:[-*•‣◦▪–]|\(?\d{1,3}[.)]|\(?[a-z][.)])\s+\S/u

export function txt({ text }: Source): Reading {
  return {
    blocks: text.split(/\r?\n[ \t]*\r?\n|\r\r/).flatMap(paragraphBlocks),
  }
}

function paragraphBlocks(paragraph: string): Block[] {
  const lines = paragraph.split(/\r\n?|\n/).filter(line => line.trim())
  const [first] = lines
  if (first === undefined) return []
  if (lines.length > 1 && bullet.test(first) && lines.slice(1).some(line => bullet.test(line))) {
    return items(lines).map(item => ({ kind: 'list_item', text: item }))
  }
  return [{ kind: 'paragraph', text: lines.join(isWrapped(lines) ? ' ' : '\n').trim() }]
}

/** A line that does not begin an item belongs to the one before it. */
function items(lines: string[]): string[] {
  const found: string[][] = []
  for (const line of lines) {
    if (bullet.test(line) || !found.length) found.push([line.trim()])
    else found.at(-1)?.push(line.trim())
  }
  return found.map(item => item.join(' '))
}

/** Lines were wrapped when each next line's first word would not have fitted on the line before it (greedy filling, the widest line as the margin). */
function isWrapped(lines: string[]): boolean {
  const width = Math.max(...lines.slice(0, WRAP_LINES_LOOKED_AT).map(line => line.trimEnd().length))
  if (width < WRAP_WIDTH_MIN) return false
  return lines.slice(1, WRAP_LINES_LOOKED_AT).every((line, index) => {
    const word = /^\s*\S+/.exec(line.slice(0, width + 1))?.[0].trim() ?? ''
    return (lines[index]?.trimEnd().length ?? 0) + 1 + word.length > width
  })
}

/** Enough lines to tell; a paragraph of a million lines is not measured to its end. */
const WRAP_LINES_LOOKED_AT = 200
