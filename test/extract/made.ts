// Small documents made for the tests, byte by byte where the bytes are the point, and the way through the child for each of them.
import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import JSZip from 'jszip'
import { Failure } from '../../src/platform/errors.ts'
import type { Extracted, ExtractLimits } from '../../src/rag/extract/reader.ts'
import { extractLimits, openReaders } from '../../src/rag/extract/run.ts'

type Line = { text: string; size?: number; down?: number }
/** A page is lines of Helvetica; an empty page holds one picture, as a scan does. */
export type Page = Line[]

/** A PDF with one content stream a page. With `locked` it asks for a password nobody knows. */
export function pdfOf(pages: Page[], { title, locked = false }: { title?: string; locked?: boolean } = {}): Buffer {
  const objects: string[] = []
  const add = (object: string) => objects.push(object)
  add('<< /Type /Catalog /Pages 2 0 R >>')
  add(`<< /Type /Pages /Count ${pages.length} /Kids [${pages.map((_, index) => `${5 + index * 2} 0 R`).join(' ')}] >>`)
  add('<< /Type /Font /Subtype /Type1 /BaseFont /Helvetica >>')
  add(stream('<< /Type /XObject /Subtype /Image /Width 1 /Height 1 /ColorSpace /DeviceGray /BitsPerComponent 8', '\0'))
  pages.forEach((page, index) => {
    add(
      `<< /Type /Page /Parent 2 0 R /MediaBox [0 0 612 792] /Contents ${6 + index * 2} 0 R /Resources << /Font << /F1 3 0 R >> /XObject << /I1 4 0 R >> >> >>`,
    )
    const drawn = page.map(
      ({ text, size = 12, down = 14 }) => `/F1 ${size} Tf 0 -${down} Td (${text.replace(/[\\()]/g, '\\$&')}) Tj`,
    )
    add(stream('<<', page.length ? `BT 72 720 Td ${drawn.join('\n')} ET` : 'q 500 0 0 700 50 50 cm /I1 Do Q'))
  })
  const info = title ? add(`<< /Title (${title}) >>`) : 0
  const guard = locked ? add(`<< /Filter /Standard /V 1 /R 2 /P -4 /O <${'41'.repeat(32)}> /U <${'42'.repeat(32)}> >>`) : 0
  const places: number[] = []
  let text = '%PDF-1.4\n'
  objects.forEach((object, index) => {
    places.push(text.length)
    text += `${index + 1} 0 obj\n${object}\nendobj\n`
  })
  const table = places.map(place => `${String(place).padStart(10, '0')} 00000 n \n`).join('')
  const trailer = `/Size ${objects.length + 1} /Root 1 0 R /ID [<41><42>]${info ? ` /Info ${info} 0 R` : ''}${guard ? ` /Encrypt ${guard} 0 R` : ''}`
  return Buffer.from(
    `${text}xref\n0 ${objects.length + 1}\n0000000000 65535 f \n${table}trailer\n<< ${trailer} >>\nstartxref\n${text.length}\n%%EOF\n`,
    'latin1',
  )
}

function stream(dictionary: string, content: string): string {
  return `${dictionary} /Length ${content.length} >>\nstream\n${content}\nendstream`
}

const declaration = '<?xml version="1.0" encoding="UTF-8" standalone="yes"?>'
const word = 'http://schemas.openxmlformats.org/wordprocessingml/2006/main'

/** The entries every Word document has, around a body of WordprocessingML; `prolog` stands before its root. */
export function docxEntries(body: string, prolog = ''): Record<string, string> {
  return {
    '[Content_Types].xml': `${declaration}<Types xmlns="http://schemas.openxmlformats.org/package/2006/content-types"><Default Extension="rels" ContentType="application/vnd.openxmlformats-package.relationships+xml"/><Override PartName="/word/document.xml" ContentType="application/vnd.openxmlformats-officedocument.wordprocessingml.document.main+xml"/></Types>`,
    '_rels/.rels': `${declaration}<Relationships xmlns="http://schemas.openxmlformats.org/package/2006/relationships"><Relationship Id="r1" Type="http://schemas.openxmlformats.org/officeDocument/2006/relationships/officeDocument" Target="word/document.xml"/></Relationships>`,
    'word/document.xml': `${declaration}${prolog}<w:document xmlns:w="${word}"><w:body>${body}</w:body></w:document>`,
  }
}

/** A paragraph of WordprocessingML, with a style by id when given. */
export function paragraph(text: string, style?: string): string {
  return `<w:p>${style ? `<w:pPr><w:pStyle w:val="${style}"/></w:pPr>` : ''}<w:r><w:t>${text}</w:t></w:r></w:p>`
}

export function zipOf(entries: Record<string, string | Buffer>): Promise<Buffer> {
  const archive = new JSZip()
  for (const [name, content] of Object.entries(entries)) archive.file(name, content)
  return archive.generateAsync({ type: 'nodebuffer', compression: 'DEFLATE' })
}

/** Writes the bytes to a file of that name, reads them through the child, and leaves nothing behind. */
export async function read(
  name: string,
  content: Buffer | string,
  limits: Partial<ExtractLimits> = {},
  signal?: AbortSignal,
): Promise<Extracted> {
  const folder = await mkdtemp(join(tmpdir(), 'extract-'))
  const readers = openReaders({ ...extractLimits, ...limits })
  try {
    const path = join(folder, 'document')
    await writeFile(path, content)
    return await readers.extract({ path, name, user: 'ann' }, signal)
  } finally {
    await readers.close()
    await rm(folder, { recursive: true })
  }
}

/** The code and sentence `read` failed with; an answer where a failure was due is an error. */
export async function refused(reading: Promise<unknown>): Promise<{ code: string; message: string }> {
  try {
    await reading
  } catch (error) {
    if (error instanceof Failure) return { code: error.code, message: error.message }
    throw error
  }
  throw new Error('It was read')
}
