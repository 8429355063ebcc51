// What a format hands on: a document as a flat list of blocks in reading order, and an account of what could not be read.
// A format decides what is a heading, a row or a list item; it decides nothing about offsets or cleaning (canonical.ts does).

import type { Entries } from './archive.ts'

/** One heading, paragraph, list item, table row or piece of code. `level` is a heading's depth from 1; `page` counts from 1 (slide and sheet too). */
export type Block = {
  kind: 'heading' | 'paragraph' | 'list_item' | 'table_row' | 'code'
  text: string
  level?: number
  page?: number
}

/** What was and was not extracted. `bytes_skipped` counts bytes of text that were seen and left out on purpose (undecodable, hidden, scripts). */
export type Coverage = {
  pages?: number
  pages_without_text?: number[]
  images?: number
  bytes_skipped: number
  encoding?: { name: string; confidence: number }
  tables: number
  truncated_tokens: 0
}

/** What reading one document gave. What a format has nothing to say about is absent from its coverage. */
export type Reading = { blocks: Block[]; title?: string; coverage?: Partial<Coverage> }

/**
 * A document as a format sees it: its bytes, for text formats the decoded `text`, for archives their `entries`, and the most pages (slides,
 * sheets, chapters) it may have.
 */
export type Source = { bytes: Buffer; text: string; entries: Entries; pagesMax: number }

export type Format = (source: Source) => Reading | Promise<Reading>

/** A table's rows as blocks: `label: cell` pairs where the column has a label, the bare cell where it has none, nothing for empty cells. */
export function rowBlocks(rows: string[][], labels: string[] = [], page?: number): Block[] {
  return rows.flatMap(row => {
    const cells = row.flatMap((cell, column) => {
      const value = cell.trim()
      const label = labels[column]?.trim()
      return value ? [label ? `${label}: ${value}` : value] : []
    })
    return cells.length ? [{ kind: 'table_row', text: cells.join(' | '), ...(page && { page }) } as const] : []
  })
}

/** Whether a first row reads as column labels: every cell filled, all different, none of them a number or longer than a label is. */
export function isLabelRow(row: string[]): boolean {
  const cells = row.map(cell => cell.trim())
  return (
    cells.length > 1 &&
    cells.every(cell => cell !== '' && cell.length <= LABEL_LENGTH_MAX && !/^[\d\s.,:%€$£+-]+$/.test(cell)) &&
    new Set(cells).size === cells.length
  )
}

/** Longer first cells are data, not names of columns. */
const LABEL_LENGTH_MAX = 80
