// Comma-separated values (RFC 4180, also with semicolons or tabs): each record becomes a row whose cells carry their column's label.
import { isLabelRow, type Reading, rowBlocks, type Source } from './blocks.ts'

const delimiters = [',', ';', '\t', '|'] as const

export function csv({ text }: Source): Reading {
  const rows = records(text, delimiterOf(text))
  const [first = [], ...rest] = rows
  const labelled = rest.length > 0 && isLabelRow(first)
  return { blocks: labelled ? rowBlocks(rest, first) : rowBlocks(rows), coverage: { tables: rows.length ? 1 : 0 } }
}

/** The delimiter that cuts the first lines into the most fields, counted outside quotes. */
function delimiterOf(text: string): string {
  const head = text
    .slice(0, 8192)
    .split(/\r\n?|\n/)
    .slice(0, 10)
    .join('\n')
    .replace(/"[^"]*"/g, '')
  const counts = delimiters.map(delimiter => head.split(delimiter).length)
  return delimiters[counts.indexOf(Math.max(...counts))] ?? ','
}

/** Splits into records; a quoted field may hold delimiters, line ends and doubled quotes; an unclosed quote ends with the text. */
function records(text: string, delimiter: string): string[][] {
  const field = new RegExp(
    `(?:"((?:[^"]|"")*)(?:"|$)([^${delimiter}\\r\\n]*)|([^${delimiter}\\r\\n]*))(${delimiter === '|' ? '\\|' : delimiter}|\\r\\n?|\\n|$)`,
    'y',
  )
  const rows: string[][] = []
  let row: string[] = []
  while (field.lastIndex < text.length) {
    const [, quoted, tail = '', bare, end = ''] = field.exec(text) ?? []
    row.push(quoted === undefined ? (bare ?? '') : quoted.replaceAll('""', '"') + tail)
    if (end === delimiter) continue
    if (row.some(cell => cell.trim())) rows.push(row)
    row = []
  }
  if (row.some(cell => cell.trim())) rows.push(row)
  return rows
}
