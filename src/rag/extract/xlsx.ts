// Workbooks (SpreadsheetML): sheet after sheet, each under its name, rows with their column's label and values as a reader sees them:
// dates as dates, shares as percent. Formulas count by the value they had when the file was saved.
import type { Entries } from './archive.ts'
import { type Block, isLabelRow, type Reading, rowBlocks, type Source } from './blocks.ts'
import { type NumberKind, numberKinds, shown } from './cells.ts'
import { readXml } from './markup.ts'
import { mainPart, partText, relationId, relationsOf, titleOf } from './ooxml.ts'
import { Refusal } from './refusal.ts'

/** A row by its columns from 0; `at` is its number on the sheet. */
type Row = { at: number; cells: string[] }
type Book = { strings: string[]; kinds: NumberKind[]; since1904: boolean }

export async function xlsx({ entries, pagesMax }: Source): Promise<Reading> {
  const main = await mainPart(entries)
  const relations = await relationsOf(entries, main)
  const { sheets, since1904 } = sheetsOf(await partText(entries, main))
  if (sheets.length > pagesMax)
    throw new Refusal('too_large', `The document has ${sheets.length} sheets; the limit is ${pagesMax}`)
  const part = async (type: string) => {
    const target = relations.find(relation => relation.type === type)?.target
    return target ? partText(entries, target) : ''
  }
  const book = { strings: stringsOf(await part('sharedStrings')), kinds: numberKinds(await part('styles')), since1904 }
  const blocks: Block[] = []
  const silent: number[] = []
  let tables = 0
  for (const [index, { name, id }] of sheets.entries()) {
    const page = index + 1
    const target = relations.find(relation => relation.id === id && relation.type === 'worksheet')?.target
    const found = target ? sheetBlocks(rowsOf(await partText(entries, target), book), page) : { blocks: [], tables: 0 }
    tables += found.tables
    if (found.blocks.length) blocks.push({ kind: 'heading', text: name, level: 1, page }, ...found.blocks)
    else silent.push(page)
  }
  const coverage = { pages: sheets.length, pages_without_text: silent, images: imagesIn(entries), tables }
  return { blocks, title: await titleOf(entries), coverage }
}

const imagesIn = ({ names }: Entries) => names.filter(name => /(^|\/)(media|charts)\/[^/]+\.(?!rels$)\w+$/.test(name)).length

function sheetsOf(xml: string): { sheets: { name: string; id: string }[]; since1904: boolean } {
  const sheets: { name: string; id: string }[] = []
  let since1904 = false
  readXml(xml, {
    open(tag, attributes) {
      if (tag === 'sheet') sheets.push({ name: attributes.name ?? '', id: relationId(attributes) ?? '' })
      else if (tag === 'workbookPr') since1904 = /^(1|true)$/.test(attributes.date1904 ?? '')
    },
  })
  return { sheets, since1904 }
}

/** The strings that cells refer to by number, without the reading aids beside Japanese ones. */
function stringsOf(xml: string): string[] {
  const strings: string[] = []
  let isText = false
  let isAid = false
  readXml(xml, {
    open(tag) {
      if (tag === 'si') strings.push('')
      else if (tag === 'rPh') isAid = true
      else if (tag === 't') isText = !isAid
    },
    text(part) {
      if (isText) strings.push((strings.pop() ?? '') + part)
    },
    close(tag) {
      if (tag === 't') isText = false
      else if (tag === 'rPh') isAid = false
    },
  })
  return strings
}

/** Columns beyond this do not exist in a workbook (`XFD`). */
const COLUMNS_MAX = 16_384

function rowsOf(xml: string, { strings, kinds, since1904 }: Book): Row[] {
  const rows: Row[] = []
  let column = -1
  let type = ''
  let kind: NumberKind = 'number'
  let value = ''
  let isValue = false
  readXml(xml, {
    open(tag, { r = '', t = 'n', s = '0' }) {
      if (tag === 'row') {
        rows.push({ at: Number(r) || (rows.at(-1)?.at ?? 0) + 1, cells: [] })
        column = -1
      } else if (tag === 'c') {
        column = r ? columnOf(r) : column + 1
        type = t
        kind = kinds[Number(s)] ?? 'number'
        value = ''
      } else if (tag === 'v' || tag === 't') isValue = true
    },
    text(part) {
      if (isValue) value += part
    },
    close(tag) {
      if (tag === 'v' || tag === 't') isValue = false
      else if (tag === 'c' && value && column < COLUMNS_MAX) {
        const cells = rows.at(-1)?.cells ?? []
        while (cells.length < column) cells.push('')
        if (type === 's') cells[column] = strings[Number(value)] ?? ''
        else if (type === 'b') cells[column] = value === '1' ? 'TRUE' : 'FALSE'
        else cells[column] = type === 'n' ? shown(value, kind, since1904) : value
      }
    },
  })
  return rows
}

/** `AB12` → 27. */
function columnOf(reference: string): number {
  let column = 0
  for (const letter of /^[A-Z]{1,3}/.exec(reference)?.[0] ?? '') column = column * 26 + letter.charCodeAt(0) - 64
  return column - 1
}

/**
 * A sheet may hold several tables, apart by empty rows. A line of its own above a table is a paragraph; a first row that reads as labels
 * names the columns, also of what follows an empty row and has no labels of its own.
 */
function sheetBlocks(rows: Row[], page: number): { blocks: Block[]; tables: number } {
  const filled = rows.filter(({ cells }) => cells.some(cell => cell.trim()))
  const blocks: Block[] = []
  let labels: string[] = []
  let tables = 0
  filled.forEach(({ at, cells }, index) => {
    const isFirst = at !== (filled[index - 1]?.at ?? -1) + 1 || isAlone(filled[index - 1]?.cells ?? [])
    const next = filled[index + 1]
    if (isFirst && isAlone(cells)) blocks.push({ kind: 'paragraph', text: cells.join('').trim(), page })
    else if (isFirst && next?.at === at + 1 && isLabelRow(cells.slice(cells.findIndex(cell => cell.trim())))) {
      labels = cells
      tables++
    } else blocks.push(...rowBlocks([cells], labels, page))
  })
  return { blocks, tables }
}

function isAlone(cells: string[]): boolean {
  return cells.filter(cell => cell.trim()).length === 1
}
