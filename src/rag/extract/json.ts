// JSON and JSON lines: keys become the heading path, an object's own values one row of `key: value` pairs. Numbers keep the digits they
// were written with. Text that is not JSON after all is read as plain text rather than refused.
import { type Block, type Reading, rowBlocks, type Source } from './blocks.ts'
import { Refusal } from './refusal.ts'
import { txt } from './txt.ts'

type Json = string | number | boolean | null | Json[] | { [key: string]: Json }

/** Deeper nesting is an attack or a mistake: no reader follows it. */
const DEPTH_MAX = 100

export function json(source: Source): Reading {
  const value = parse(source.text)
  if (value === undefined) return txt(source)
  const blocks: Block[] = []
  collect(value, [], blocks)
  return { blocks }
}

function parse(text: string): Json | undefined {
  try {
    return JSON.parse(text, asWritten)
  } catch (error) {
    if (error instanceof RangeError) throw tooDeep()
  }
  try {
    return text
      .split('\n')
      .filter(line => line.trim())
      .map(line => JSON.parse(line, asWritten))
  } catch {
    return undefined
  }
}

/** JSON.parse hands the reviver the source of each primitive; a number that would lose digits is kept as that source. */
function asWritten(_key: string, value: Json, context?: { source?: string }): Json {
  return typeof value === 'number' && context?.source && String(value) !== context.source ? context.source : value
}

function collect(value: Json, path: string[], blocks: Block[]): void {
  if (path.length > DEPTH_MAX) throw tooDeep()
  if (value === null || typeof value !== 'object') {
    blocks.push({ kind: 'paragraph', text: String(value ?? '') })
    return
  }
  if (Array.isArray(value)) {
    value.forEach((entry, index) => {
      if (isPlain(entry)) blocks.push({ kind: 'list_item', text: String(entry ?? '') })
      else if (Object.values(entry as object).every(isPlain)) collect(entry, path, blocks)
      else nest(`#${index + 1}`, entry, path, blocks)
    })
    return
  }
  const entries = Object.entries(value)
  const plain = entries.filter(([, entry]) => isPlain(entry))
  blocks.push(
    ...rowBlocks(
      [plain.map(([, entry]) => String(entry ?? ''))],
      plain.map(([key]) => key),
    ),
  )
  for (const [key, entry] of entries) if (!isPlain(entry)) nest(key, entry, path, blocks)
}

function nest(key: string, value: Json, path: string[], blocks: Block[]): void {
  blocks.push({ kind: 'heading', text: key, level: path.length + 1 })
  collect(value, [...path, key], blocks)
}

function isPlain(value: Json): boolean {
  return value === null || typeof value !== 'object'
}

function tooDeep() {
  return new Refusal('too_large', `The document is nested deeper than ${DEPTH_MAX} levels`)
}
