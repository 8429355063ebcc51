// Electronic books (EPUB 2 and 3): the chapters in reading order, each read as the XHTML it is. A book whose chapters are locked by a
// rights system is encrypted; fonts that are only obfuscated do not matter here.
import { posix } from 'node:path'
import type { Entries } from './archive.ts'
import type { Block, Reading, Source } from './blocks.ts'
import { decode } from './encoding.ts'
import { htmlBlocks } from './html.ts'
import { readXml } from './markup.ts'
import { partText } from './ooxml.ts'
import { Refusal } from './refusal.ts'

export async function epub({ entries, pagesMax }: Source): Promise<Reading> {
  const { title, chapters } = await bookOf(entries)
  if (chapters.length > pagesMax)
    throw new Refusal('too_large', `The document has ${chapters.length} chapters; the limit is ${pagesMax}`)
  const locked = await lockedNames(entries)
  if (chapters.some(name => locked.has(name))) throw new Refusal('encrypted')
  const blocks: Block[] = []
  const silent: number[] = []
  const counts = { images: 0, tables: 0, bytes_skipped: 0 }
  for (const [index, name] of chapters.entries()) {
    const bytes = (await entries.read(name)) ?? Buffer.alloc(0)
    const decoded = decode(bytes, /^<\?xml[^>]+encoding=["']([\w-]+)/.exec(bytes.toString('latin1', 0, 200))?.[1])
    const chapter = htmlBlocks(decoded.text)
    counts.images += chapter.coverage.images ?? 0
    counts.tables += chapter.coverage.tables
    counts.bytes_skipped += chapter.coverage.bytes_skipped + decoded.bytes_skipped
    if (!chapter.blocks.length) silent.push(index + 1)
    else if (!chapter.blocks.some(({ kind }) => kind === 'heading') && chapter.title && chapter.title !== title)
      blocks.push({ kind: 'heading', text: chapter.title, level: 1 })
    blocks.push(...chapter.blocks)
  }
  return { blocks, title, coverage: { pages: chapters.length, pages_without_text: silent, ...counts } }
}

/** The title and the names of the chapters in reading order. Throws `damaged` for a book without a table of its parts. */
async function bookOf(entries: Entries): Promise<{ title?: string; chapters: string[] }> {
  let opf: string | undefined
  readXml(await partText(entries, 'META-INF/container.xml'), {
    open(tag, attributes) {
      if (tag === 'rootfile') opf ??= attributes['full-path']
    },
  })
  if (!opf) throw new Refusal('damaged', '', 'the container names no package')
  const folder = posix.dirname(opf)
  const manifest = new Map<string, string>()
  const chapters: string[] = []
  let title = ''
  let inTitle = false
  readXml(await partText(entries, opf), {
    open(tag, { id = '', href = '', idref = '', properties = '' }) {
      if (tag === 'title' && !title) inTitle = true
      else if (tag === 'item' && !properties.split(' ').includes('nav')) manifest.set(id, posix.join(folder, unescaped(href)))
      else if (tag === 'itemref' && manifest.has(idref)) chapters.push(manifest.get(idref) ?? '')
    },
    text(part) {
      if (inTitle) title += part
    },
    close() {
      inTitle = false
    },
  })
  return { title: title.trim() || undefined, chapters }
}

/** Names of what a rights system has encrypted; the two algorithms that only obfuscate fonts are none. */
async function lockedNames(entries: Entries): Promise<Set<string>> {
  const bytes = await entries.read('META-INF/encryption.xml')
  const locked = new Set<string>()
  if (bytes) {
    let isFont = false
    readXml(decode(bytes).text, {
      open(tag, { Algorithm = '', URI = '' }) {
        if (tag === 'EncryptionMethod') isFont = /idpf\.org\/2008\/embedding|ns\.adobe\.com\/pdf\/enc/.test(Algorithm)
        else if (tag === 'CipherReference' && !isFont) locked.add(unescaped(URI))
      },
    })
  }
  return locked
}

function unescaped(href: string): string {
  const path = href.split('#')[0] ?? ''
  try {
    return decodeURIComponent(path)
  } catch {
    return path
  }
}
