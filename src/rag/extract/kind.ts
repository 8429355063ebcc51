// Which kind of document bytes are. The content decides; the name only breaks the tie between formats that are all plain text.
import { looksLikeText } from './encoding.ts'
import { Refusal } from './refusal.ts'

export const mediaTypes = {
  txt: 'text/plain',
  md: 'text/markdown',
  html: 'text/html',
  csv: 'text/csv',
  json: 'application/json',
  pdf: 'application/pdf',
  docx: 'application/vnd.openxmlformats-officedocument.wordprocessingml.document',
  pptx: 'application/vnd.openxmlformats-officedocument.presentationml.presentation',
  xlsx: 'application/vnd.openxmlformats-officedocument.spreadsheetml.sheet',
  epub: 'application/epub+zip',
} as const

export type Kind = keyof typeof mediaTypes

const byExtension: Record<string, Kind> = {
  md: 'md',
  markdown: 'md',
  html: 'html',
  htm: 'html',
  xhtml: 'html',
  csv: 'csv',
  tsv: 'csv',
  json: 'json',
  jsonl: 'json',
  ndjson: 'json',
}
/** PDF readers accept the mark anywhere in the first kibibyte (ISO 32000-1, implementation note 13). */
const PDF_MARK_WITHIN_BYTES = 1024

/** The kind of a document. Throws `no_text` for no bytes at all, `encrypted` for a locked Office file, `unsupported_type` for the rest. */
export async function kindOf(bytes: Buffer, name: string): Promise<Kind> {
  if (bytes.length === 0) throw new Refusal('no_text', 'The file is empty')
  if (bytes.subarray(0, PDF_MARK_WITHIN_BYTES).includes('%PDF-')) return 'pdf'
  if (bytes.subarray(0, 6).toString('latin1') === '{\\rtf1') throw unsupported('application/rtf')
  if (looksLikeText(bytes)) return textKind(bytes, name)
  if (bytes.toString('latin1', 0, 4) === 'PK\x03\x04') return archiveKind(bytes, name)
  const { fileTypeFromBuffer } = await import('file-type') // loaded only for what is not text
  const type = (await fileTypeFromBuffer(bytes).catch(() => undefined))?.mime
  if (type === 'application/x-cfb' && bytes.includes(Buffer.from('EncryptedPackage', 'utf16le'))) throw new Refusal('encrypted')
  throw unsupported(type)
}

/** What an archive is, by the entry that every archive of that kind has. One that cannot be opened is damaged if it claims to be a document. */
async function archiveKind(bytes: Buffer, name: string): Promise<Kind> {
  const { namesOf } = await import('./archive.ts')
  const names = await namesOf(bytes).catch(error => {
    if (error instanceof Refusal && error.code === 'damaged' && !documentName.test(name)) throw unsupported('application/zip')
    throw error
  })
  for (const [entry, kind] of Object.entries(byEntry)) if (names.has(entry)) return kind
  throw documentName.test(name)
    ? new Refusal('damaged', '', 'the entry that makes it a document is missing')
    : unsupported('application/zip')
}

const byEntry: Record<string, Kind> = {
  'word/document.xml': 'docx',
  'ppt/presentation.xml': 'pptx',
  'xl/workbook.xml': 'xlsx',
  'META-INF/container.xml': 'epub',
}
const documentName = /\.(docx|pptx|xlsx|epub)$/i

function textKind(bytes: Buffer, name: string): Kind {
  const head = bytes
    .subarray(0, 1024)
    .toString('latin1')
    .replaceAll('\0', '')
    .replace(/^(\u00ef\u00bb\u00bf|\u00ff\u00fe|\u00fe\u00ff)/, '')
    .trimStart()
  if (/^(<\?xml[^>]*>\s*)?(<!--[\s\S]*?-->\s*)*<(!doctype\s+html|html[\s>])/i.test(head)) return 'html'
  const named = byExtension[/\.([^.]+)$/.exec(name)?.[1]?.toLowerCase() ?? '']
  if (named) return named
  if (head.startsWith('<?xml')) return 'html'
  return /^[[{]/.test(head) ? 'json' : 'txt'
}

function unsupported(type?: string) {
  const accepted = Object.keys(mediaTypes).join(', ')
  return new Refusal(
    'unsupported_type',
    `${type ? `A file of type ${type}` : 'A file of this kind'} cannot be read here; the types are ${accepted}`,
  )
}
