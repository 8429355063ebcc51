// HTML as a reader sees it: headings, paragraphs, lists and tables in order. Nothing is run; scripts, styles, navigation and hidden parts
// are left out and counted.
import { type Block, type Coverage, isLabelRow, type Reading, rowBlocks, type Source } from './blocks.ts'
import { readHtml } from './markup.ts'

const leftOut = new Set([
  'script',
  'style',
  'noscript',
  'template',
  'svg',
  'math',
  'nav',
  'iframe',
  'object',
  'canvas',
  'select',
  'button',
])
const apart = new Set(
  'address article aside blockquote body caption dd details dialog div dl dt fieldset figcaption figure footer form h1 h2 h3 h4 h5 h6 header hr li main ol p pre section summary table tbody td tfoot th thead title tr ul'.split(
    ' ',
  ),
)
/** Elements that never have content: they must not be waited for. */
const empty = new Set('area base br col embed hr img input link meta source track wbr'.split(' '))

type Cell = { text: string; label: boolean; span: number }
type Grid = { rows: Cell[][]; open: Cell | undefined }

export function html(source: Source): Reading {
  return htmlBlocks(source.text)
}

/** Reads HTML, whole or a fragment. With `guessLabels` a table without `th` may take its first row as labels (Word does not mark header rows). */
export function htmlBlocks(text: string, guessLabels = false): Reading & { coverage: Coverage } {
  const blocks: Block[] = []
  const coverage: Coverage = { bytes_skipped: 0, tables: 0, images: 0, truncated_tokens: 0 }
  const grids: Grid[] = []
  let skipping = 0
  let title: string | undefined
  let kind: Block['kind'] = 'paragraph'
  let level = 0
  let lists = 0
  let words = ''

  function flush() {
    const line =
      kind === 'code'
        ? words
        : words
            .replace(/[^\S\n]+/g, ' ')
            .replace(/ ?\n ?/g, '\n')
            .trim()
    words = ''
    if (!line.trim()) return
    const cell = grids.at(-1)?.open
    if (cell) cell.text = cell.text ? `${cell.text} ${line}` : line
    else blocks.push({ kind, text: line, ...(kind === 'heading' && { level }) })
  }

  readHtml(text, {
    open(name, attributes) {
      if (skipping || leftOut.has(name) || 'hidden' in attributes) {
        if (!empty.has(name)) skipping++
        return
      }
      if (name === 'br') words += '\n'
      if (name === 'img') {
        coverage.images = (coverage.images ?? 0) + 1
        words += ` ${attributes.alt ?? ''} `
      }
      if (!apart.has(name)) return
      flush()
      if (/^h[1-6]$/.test(name)) [kind, level] = ['heading', Number(name[1])]
      else if (name === 'pre') kind = 'code'
      else if (name === 'li' || name === 'dd' || name === 'dt') kind = 'list_item'
      else if (name === 'ul' || name === 'ol') lists++
      else if (name === 'table') grids.push({ rows: [], open: undefined })
      const grid = grids.at(-1)
      if (name === 'tr') grid?.rows.push([])
      if (grid && (name === 'td' || name === 'th')) {
        grid.open = { text: '', label: name === 'th', span: Math.min(Number(attributes.colspan) || 1, COLSPAN_MAX) }
        if (!grid.rows.length) grid.rows.push([])
        grid.rows.at(-1)?.push(grid.open)
      }
    },
    text(part) {
      if (skipping) coverage.bytes_skipped += Buffer.byteLength(part)
      else words += kind === 'code' ? part : part.replace(/\s+/g, ' ')
    },
    close(name) {
      if (skipping) {
        if (!empty.has(name)) skipping--
        return
      }
      if (name === 'title' && title === undefined) {
        title = words.replace(/\s+/g, ' ').trim() || undefined
        words = ''
        return
      }
      if (!apart.has(name)) return
      flush()
      if (/^(h[1-6]|pre|li|dd|dt)$/.test(name)) kind = 'paragraph'
      const grid = grids.at(-1)
      if (name === 'ul' || name === 'ol') lists--
      else if (lists > 0 && name === 'p') kind = 'list_item'
      if (grid && (name === 'td' || name === 'th')) grid.open = undefined
      if (name === 'table' && grids.pop()) {
        coverage.tables++
        const rows = gridBlocks(grid?.rows ?? [], guessLabels)
        const outer = grids.at(-1)?.open
        if (outer) outer.text = [outer.text, ...rows.map(row => row.text)].filter(Boolean).join(' ')
        else blocks.push(...rows)
      }
    },
  })
  flush()
  return { blocks, title: title ?? blocks.find(block => block.kind === 'heading')?.text, coverage }
}

/** A cell that spans more columns than this is written to waste memory. */
const COLSPAN_MAX = 100

/** A first row of `th` names the columns; a lone `th` before `td`s names its row. */
function gridBlocks(rows: Cell[][], guessLabels: boolean): Block[] {
  const wide = rows
    .filter(row => row.length)
    .map(row => row.flatMap(cell => [cell, ...Array<Cell>(cell.span - 1).fill({ text: '', label: cell.label, span: 1 })]))
  const [first] = wide
  if (!first) return []
  const texts = wide.map(row => row.map(cell => cell.text))
  const labelled = first.length > 1 && first.every(cell => cell.label)
  const labels = labelled || (guessLabels && wide.length > 1 && isLabelRow(texts[0] ?? [])) ? texts[0] : undefined
  if (labels && wide.length > 1) return rowBlocks(texts.slice(1), labels)
  return wide.flatMap(row => {
    const [head, ...rest] = row
    const cells = rest.map(cell => cell.text.trim()).filter(Boolean)
    if (head?.label && cells.length && !rest.some(cell => cell.label))
      return [{ kind: 'table_row', text: `${head.text}: ${cells.join(' | ')}` } as const]
    return rowBlocks([row.map(cell => cell.text)])
  })
}
