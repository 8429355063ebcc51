// The child process that meets the bytes of strangers. It reads documents from its standard input, one after the other, and writes what it
// found to its standard output as lines of JSON; it has no environment, no network and no files but the program's own (reader.ts sees to
// that).
import { readSync } from 'node:fs'
import { lineOf } from '../../platform/lines.ts'
import type { Coverage, Format } from './blocks.ts'
import { canonical } from './canonical.ts'
import { decode } from './encoding.ts'
import { type Kind, kindOf, mediaTypes } from './kind.ts'
import type { ExtractLimits, Message, Order } from './reader.ts'
import { Refusal } from './refusal.ts'

/** Imported when needed: a text file does not wait for a PDF reader to load. */
const formats: Record<Kind, () => Promise<Format>> = {
  txt: async () => (await import('./txt.ts')).txt,
  md: async () => (await import('./md.ts')).md,
  html: async () => (await import('./html.ts')).html,
  csv: async () => (await import('./csv.ts')).csv,
  json: async () => (await import('./json.ts')).json,
  pdf: async () => (await import('./pdf.ts')).pdf,
  docx: async () => (await import('./docx.ts')).docx,
  pptx: async () => (await import('./pptx.ts')).pptx,
  xlsx: async () => (await import('./xlsx.ts')).xlsx,
  epub: async () => (await import('./epub.ts')).epub,
}
const archives = new Set<Kind>(['docx', 'pptx', 'xlsx', 'epub'])
const noEntries = { names: [], read: async () => undefined }
const textTypes = new Set<Kind>(['txt', 'md', 'html', 'csv', 'json'])

/** A line of output holds at most this many UTF-16 units of text, so that the reader never parses more than that at once. */
const PIECE_LENGTH = 64 * 1024

async function read(bytes: Buffer, name: string, limits: ExtractLimits): Promise<void> {
  const kind = await kindOf(bytes, name)
  const entries = archives.has(kind) ? await (await import('./archive.ts')).openArchive(bytes, limits) : noEntries
  const format = await formats[kind]()
  const decoded = textTypes.has(kind) ? decode(bytes, declaredCharset(kind, bytes)) : undefined
  const reading = await format({ bytes, text: decoded?.text ?? '', entries, pagesMax: limits.pagesMax })
  const document = canonical(reading.blocks)
  const textBytes = document.sections.at(-1)?.end ?? 0
  if (!/[\p{L}\p{N}]/u.test(document.text)) throw new Refusal('no_text')
  if (textBytes > limits.textBytesMax)
    throw new Refusal('too_large', `The document holds more than ${limits.textBytesMax} bytes of text, the limit`)
  const coverage: Coverage = {
    tables: 0,
    ...reading.coverage,
    bytes_skipped: (reading.coverage?.bytes_skipped ?? 0) + (decoded?.bytes_skipped ?? 0),
    ...(decoded && { encoding: decoded.encoding }),
    truncated_tokens: 0,
  }
  for (const section of document.sections) send({ section })
  for (let at = 0; at < document.text.length; at += PIECE_LENGTH) send({ text: document.text.slice(at, at + PIECE_LENGTH) })
  send({
    done: {
      title: reading.title?.replace(/\s+/g, ' ').slice(0, TITLE_LENGTH_MAX).toWellFormed(),
      media_type: mediaTypes[kind],
      coverage,
    },
  })
}

const TITLE_LENGTH_MAX = 300

/** What an HTML document says of its own encoding, in the first kibibyte as the HTML standard has it. */
function declaredCharset(kind: Kind, bytes: Buffer): string | undefined {
  if (kind !== 'html') return undefined
  return /<meta[^>]+charset\s*=\s*["']?([\w-]+)|^<\?xml[^>]+encoding=["']([\w-]+)/i
    .exec(bytes.toString('latin1', 0, 1024))
    ?.slice(1)
    .find(Boolean)
}

function send(message: Message): void {
  process.stdout.write(lineOf(message))
}

/** Recursion too deep for the stack is the document's nesting; anything else a parser throws is damage. */
function explain(error: unknown): Message {
  if (error instanceof Refusal) return { refusal: { code: error.code, message: error.message, cause: String(error.cause ?? '') } }
  if (error instanceof RangeError)
    return { refusal: { code: 'too_large', message: 'The document is nested too deeply', cause: String(error) } }
  return { refusal: { code: 'damaged', message: '', cause: String(error) } }
}

/** The next order and the bytes that follow it; nothing when there are no more. */
function next(): { order: Order; bytes: Buffer } | undefined {
  let line = ''
  for (const one = Buffer.alloc(1); line.at(-1) !== '\n'; line += one.toString('latin1'))
    if (readSync(0, one) === 0) return undefined
  const order = JSON.parse(Buffer.from(line, 'latin1').toString()) as Order
  const bytes = Buffer.allocUnsafeSlow(order.size)
  for (let at = 0; at < bytes.length; ) {
    const count = readSync(0, bytes, at, bytes.length - at, null)
    if (count === 0) return undefined
    at += count
  }
  return { order, bytes }
}

process.on('uncaughtException', error => send(explain(error)))
// Nobody listens any more: the service has died, and its reader with it.
process.stdout.on('error', () => process.kill(process.pid, 'SIGKILL'))
for (let asked = next(); asked; asked = next()) {
  await read(asked.bytes, asked.order.name, asked.order.limits).catch(error => send(explain(error)))
  // Waiting for the next one blocks: what has been said must be out by then.
  await new Promise(resolve => process.stdout.write('', resolve))
}
