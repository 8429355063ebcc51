// Presentations (PresentationML): slide after slide in the order they are shown, a title as heading, what stands in lists as items, rows
// with their column's label, then the speaker's notes. Pictures and charts are counted, not read.
import type { Entries } from './archive.ts'
import { type Block, isLabelRow, type Reading, rowBlocks, type Source } from './blocks.ts'
import { readXml } from './markup.ts'
import { mainPart, partText, relationId, relationsOf, titleOf } from './ooxml.ts'
import { Refusal } from './refusal.ts'

export async function pptx({ entries, pagesMax }: Source): Promise<Reading> {
  const main = await mainPart(entries)
  const slides = await slidesOf(entries, main)
  if (slides.length > pagesMax)
    throw new Refusal('too_large', `The document has ${slides.length} slides; the limit is ${pagesMax}`)
  const blocks: Block[] = []
  const silent: number[] = []
  const counts = { images: 0, tables: 0 }
  for (const [index, name] of slides.entries()) {
    const page = index + 1
    const found = shapesOf(await partText(entries, name), page, counts)
    const notes = (await relationsOf(entries, name)).find(({ type }) => type === 'notesSlide')
    const said = notes ? shapesOf(await partText(entries, notes.target), page, counts, 'body') : []
    if (said.length) found.push({ kind: 'heading', text: 'Notes', level: 2, page }, ...said)
    if (!found.length) silent.push(page)
    else if (found[0]?.kind !== 'heading') found.unshift({ kind: 'heading', text: `Slide ${page}`, level: 1, page })
    blocks.push(...found)
  }
  const title = (await titleOf(entries)) ?? blocks.find(({ kind }) => kind === 'heading')?.text
  return { blocks, title, coverage: { pages: slides.length, pages_without_text: silent, ...counts } }
}

/** The names of the slides' parts, in the order they are shown. */
async function slidesOf(entries: Entries, main: string): Promise<string[]> {
  const targets = new Map((await relationsOf(entries, main)).map(({ id, target }) => [id, target]))
  const slides: string[] = []
  readXml(await partText(entries, main), {
    open(tag, attributes) {
      const target = tag === 'sldId' ? targets.get(relationId(attributes) ?? '') : undefined
      if (target) slides.push(target)
    },
  })
  return slides
}

/** Placeholders that say the same on every slide: its number, the date, the footer, the header. */
const passing = new Set(['sldNum', 'dt', 'ftr', 'hdr'])

/** The blocks of one slide. With `only`, those of the placeholder of that type alone: on a page of notes the rest repeats the slide. */
function shapesOf(xml: string, page: number, counts: { images: number; tables: number }, only?: string): Block[] {
  const blocks: Block[] = []
  let place: string | undefined
  let lines: string[] = []
  let line = ''
  let inText = false
  let repeated = 0
  let rows: string[][] | undefined

  function endShape() {
    const kept = lines.filter(said => said.trim())
    lines = []
    if (only === undefined ? passing.has(place ?? '') : place !== only) return
    if (place === 'title' || place === 'ctrTitle') {
      if (kept.length) blocks.unshift({ kind: 'heading', text: kept.join(' '), level: 1, page })
      return
    }
    const kind = kept.length > 1 && (place === 'body' || place === 'obj') && only === undefined ? 'list_item' : 'paragraph'
    blocks.push(...kept.map(text => ({ kind, text, page }) as const))
  }

  readXml(xml, {
    open(tag, attributes) {
      if (tag === 'Fallback') repeated++
      if (repeated) return
      if (tag === 'sp') place = undefined
      else if (tag === 'ph') place = attributes.type ?? 'obj'
      else if (tag === 'pic' || tag === 'chart') counts.images++
      else if (tag === 'tbl') rows = []
      else if (tag === 'tr') rows?.push([])
      else if (tag === 't') inText = true
      else if (tag === 'br') line += '\n'
    },
    text(part) {
      if (inText) line += part
    },
    close(tag) {
      if (repeated) {
        if (tag === 'Fallback') repeated--
        return
      }
      if (tag === 't') inText = false
      else if (tag === 'p') {
        lines.push(line)
        line = ''
      } else if (tag === 'tc') {
        rows?.at(-1)?.push(lines.join(' '))
        lines = []
      } else if (tag === 'tbl' && rows) {
        const [first = [], ...rest] = rows
        counts.tables++
        blocks.push(...(rest.length && isLabelRow(first) ? rowBlocks(rest, first, page) : rowBlocks(rows, [], page)))
        rows = undefined
      } else if (tag === 'sp') endShape()
    },
  })
  return blocks
}
