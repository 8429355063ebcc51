// PDF through unpdf (pdf.js without a browser): text in the order it was drawn, lines put back together into paragraphs by the space
// between them, larger type as headings. Pages without a text layer are named, pictures are counted and never decoded.
import { getDocumentProxy } from 'unpdf'
import type { Block, Reading, Source } from './blocks.ts'
import { Refusal } from './refusal.ts'

type Line = { text: string; x: number; y: number; size: number; width: number }
type Item = { str: string; transform: number[]; width: number; height: number; hasEOL: boolean }

export async function pdf({ bytes, pagesMax }: Source): Promise<Reading> {
  const document = await open(bytes)
  if (document.numPages > pagesMax)
    throw new Refusal('too_large', `The document has ${document.numPages} pages; the limit is ${pagesMax}`)
  const pages: Line[][] = []
  const silent: number[] = []
  for (let number = 1; number <= document.numPages; number++) {
    const lines = await pageLines(document, number)
    if (!lines.some(line => /[\p{L}\p{N}]/u.test(line.text))) silent.push(number)
    pages.push(lines)
  }
  const body = bodySize(pages.flat())
  const blocks = pages.flatMap((lines, index) => pageBlocks(lines, body, index + 1))
  const info = (await document.getMetadata().catch(() => undefined))?.info as { Title?: unknown } | undefined
  const title = typeof info?.Title === 'string' && info.Title.trim() ? info.Title.trim() : undefined
  return { blocks, title, coverage: { pages: pages.length, pages_without_text: silent, images: imageCount(bytes), tables: 0 } }
}

type Document = Awaited<ReturnType<typeof getDocumentProxy>>

async function open(bytes: Buffer): Promise<Document> {
  try {
    // A copy: pdf.js takes its input away from the caller.
    return await getDocumentProxy(new Uint8Array(bytes), { verbosity: 0, stopAtErrors: false })
  } catch (error) {
    throw new Refusal((error as Error).name === 'PasswordException' ? 'encrypted' : 'damaged', '', error)
  }
}

/** A page that cannot be read gives no lines and is reported as one without text; the others are still worth having. */
async function pageLines(document: Document, number: number): Promise<Line[]> {
  const page = await document.getPage(number).catch(() => undefined)
  const content = await page?.getTextContent().catch(() => undefined)
  page?.cleanup()
  const lines: Line[] = []
  let line: Line | undefined
  for (const item of (content?.items ?? []) as Item[]) {
    const [, , , , x = 0, y = 0] = item.transform
    const size = item.height || line?.size || 0
    if (line && Math.abs(line.y - y) > size / 2) line = undefined
    if (item.str) {
      if (!line) {
        line = { text: '', x, y, size, width: 0 }
        lines.push(line)
      }
      const gap = x - (line.x + line.width)
      if (line.text && gap > size / 4 && !/\s$/.test(line.text) && !/^\s/.test(item.str)) line.text += ' '
      line.text += item.str
      line.width = Math.max(line.width, x + item.width - line.x)
      if (item.str.trim()) line.size = Math.max(line.size, size)
    }
    if (item.hasEOL) line = undefined
  }
  return lines.map(found => ({ ...found, text: found.text.replace(/\s+/g, ' ').trim() })).filter(found => found.text)
}

/** The type size most of the text is set in. */
function bodySize(lines: Line[]): number {
  const letters = new Map<number, number>()
  for (const { size, text } of lines) letters.set(Math.round(size), (letters.get(Math.round(size)) ?? 0) + text.length)
  return [...letters].sort((a, b) => b[1] - a[1])[0]?.[0] ?? 0
}

const HEADING_SIZE_MIN = 1.15
const HEADING_LENGTH_MAX = 200

function pageBlocks(lines: Line[], body: number, page: number): Block[] {
  const blocks: Block[] = []
  let last: Line | undefined
  const full = Math.max(0, ...lines.map(line => line.width))
  for (const line of lines) {
    const isHeading = line.size >= body * HEADING_SIZE_MIN && line.text.length <= HEADING_LENGTH_MAX && /\p{L}/u.test(line.text)
    const open = blocks.at(-1)
    if (last && open && continues(last, line, full) && (open.kind === 'heading') === isHeading)
      open.text = joined(open.text, line.text)
    else if (isHeading) blocks.push({ kind: 'heading', text: line.text, level: line.size >= body * 1.5 ? 1 : 2, page })
    else blocks.push({ kind: 'paragraph', text: line.text, page })
    last = line
  }
  return blocks
}

/** The next line of the same paragraph: same type, just below, and the line before it reached near the margin. */
function continues(last: Line, line: Line, full: number): boolean {
  const drop = last.y - line.y
  return Math.abs(last.size - line.size) < 1 && drop > 0 && drop <= last.size * 1.7 && last.width >= full * 0.6
}

/** A hyphen at a line's end before a small letter was put there by the typesetter. */
function joined(before: string, after: string): string {
  return /\p{Ll}[-\u00ad\u2010]$/u.test(before) && /^\p{Ll}/u.test(after) ? before.slice(0, -1) + after : `${before} ${after}`
}

/** Pictures are streams, so their dictionaries stand in the file in plain sight, also in an encrypted or compressed one. */
function imageCount(bytes: Buffer): number {
  let count = 0
  for (let at = bytes.indexOf('/Subtype'); at !== -1; at = bytes.indexOf('/Subtype', at + 1)) {
    if (/^\/Subtype\s*\/Image\b/.test(bytes.toString('latin1', at, at + 24))) count++
  }
  return count
}
