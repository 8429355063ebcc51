// Markdown (CommonMark with tables): headings, paragraphs, list items, code and table rows in reading order. Markup is dropped, the words
// stay; embedded HTML is read as HTML.
import type { Nodes, Root, Table } from 'mdast'
import { fromMarkdown } from 'mdast-util-from-markdown'
import { gfmTableFromMarkdown } from 'mdast-util-gfm-table'
import { gfmTable } from 'micromark-extension-gfm-table'
import { type Block, type Reading, rowBlocks, type Source } from './blocks.ts'
import { htmlBlocks } from './html.ts'

const frontMatter = /^---\r?\n([\s\S]*?)\r?\n---[ \t]*\r?\n/

export function md(source: Source): Reading {
  const { text } = source
  const front = frontMatter.exec(text.slice(0, FRONT_MATTER_LENGTH_MAX))
  const tree: Root = fromMarkdown(front ? text.slice(front[0].length) : text, {
    extensions: [gfmTable()],
    mdastExtensions: [gfmTableFromMarkdown()],
  })
  const blocks: Block[] = front?.[1] ? [{ kind: 'code', text: front[1] }] : []
  const tables = { count: 0 }
  for (const node of tree.children) collect(node, blocks, tables)
  const title =
    /^title:\s*["']?(.+?)["']?\s*$/m.exec(front?.[1] ?? '')?.[1] ??
    blocks.find(block => block.kind === 'heading' && block.level === 1)?.text
  return { blocks, title, coverage: { tables: tables.count } }
}

/** Front matter longer than this is not front matter. */
const FRONT_MATTER_LENGTH_MAX = 16 * 1024

function collect(node: Nodes, blocks: Block[], tables: { count: number }, inItem = false): void {
  switch (node.type) {
    case 'heading':
      blocks.push({ kind: 'heading', text: inline(node), level: node.depth })
      return
    case 'paragraph':
      blocks.push({ kind: inItem ? 'list_item' : 'paragraph', text: inline(node) })
      return
    case 'code':
      blocks.push({ kind: 'code', text: node.value })
      return
    case 'html':
      blocks.push(...htmlBlocks(node.value).blocks)
      return
    case 'table':
      tables.count++
      blocks.push(...tableBlocks(node))
      return
    case 'listItem':
      for (const child of node.children) collect(child, blocks, tables, true)
      return
    case 'definition':
      return
    default:
      if ('children' in node) for (const child of node.children) collect(child, blocks, tables, inItem)
  }
}

function tableBlocks(table: Table): Block[] {
  const [labels = [], ...rows] = table.children.map(row => row.children.map(inline))
  return rows.length ? rowBlocks(rows, labels) : rowBlocks([labels])
}

/** The words of a node; a soft line end is a blank, a hard one stays. */
function inline(node: Nodes): string {
  if (node.type === 'text') return node.value.replaceAll('\n', ' ')
  if (node.type === 'break') return '\n'
  if (node.type === 'inlineCode') return node.value
  if (node.type === 'image' || node.type === 'imageReference') return node.alt ?? ''
  return 'children' in node ? node.children.map(inline).join('') : ''
}
