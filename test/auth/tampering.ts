// Everything a hand with the sealed log in it can do to it, at random from a seed.
import { readdirSync, readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import type { Test } from 'tap'
import { seededNumbers } from '../support/seeded.ts'

type Below = (below: number) => number
type Lines = string[]

/** What a folder of segments holds, head included. */
export type Folder = Map<string, string>

export const readFolder = (dir: string): Folder =>
  new Map(readdirSync(dir).map(name => [name, readFileSync(join(dir, name), 'utf8')]))
const write = (dir: string, folder: Folder) => {
  for (const [name, text] of folder) writeFileSync(join(dir, name), text)
}

const replaced = (text: string, at: number, other: string) => text.slice(0, at) + other + text.slice(at + 1)
const SIGNS = 'abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-_"{}:,. '

/** One change of the lines of a segment. Each gives lines that differ from those it was given. */
const kinds: Record<string, (lines: Lines, below: Below) => Lines> = {
  edit(lines, below) {
    const at = below(lines.length)
    const line = lines[at] as string
    const place = below(line.length)
    const others = SIGNS.replaceAll(line[place] as string, '')
    return lines.with(at, replaced(line, place, others[below(others.length)] as string))
  },
  'edit a word': (lines, below) => {
    const told = lines.flatMap((line, i) => (/allowed|denied/.test(line) ? [i] : []))
    const at = told[below(told.length)] as number
    const other = (lines[at] as string).replace(/allowed|denied/, word => (word === 'denied' ? 'allowed' : 'denied'))
    return lines.with(at, other)
  },
  delete: (lines, below) => lines.toSpliced(below(lines.length), 1),
  'delete several': (lines, below) => lines.toSpliced(below(lines.length - 3), 2 + below(10)),
  insert: (lines, below) => lines.toSpliced(below(lines.length), 0, lines[below(lines.length)] as string),
  reorder(lines, below) {
    const [a, b] = [below(lines.length - 1), below(lines.length)]
    const other = a === b ? lines.length - 1 : b
    return lines.with(a, lines[other] as string).with(other, lines[a] as string)
  },
  'cut the tail': (lines, below) => lines.slice(0, below(lines.length)),
}

/**
 * Tampers with the log in `dir` `count` times, each time from the whole one, and asks `verify` each time. `older` are copies of the
 * folder from before, to roll it back to. All must be found, and the whole log must be valid between them.
 */
export async function tamper(
  t: Test,
  {
    dir,
    older,
    verify,
    count,
    seed,
  }: { dir: string; older: Folder[]; verify: () => Promise<{ valid: boolean }>; count: number; seed: number },
) {
  const below = seededNumbers(seed)
  const whole = readFolder(dir)
  const segments = [...whole.keys()].filter(name => name.endsWith('.jsonl')).toSorted()
  const names = [...Object.keys(kinds), 'roll back']
  let found = 0
  for (let i = 0; i < count; i++) {
    const kind = names[i % names.length] as string
    const name = segments[below(segments.length)] as string
    if (kind === 'roll back') write(dir, older[below(older.length)] as Folder)
    else {
      const lines = kinds[kind]?.((whole.get(name) as string).trimEnd().split('\n'), below) ?? []
      writeFileSync(join(dir, name), lines.map(line => `${line}\n`).join(''))
    }
    if ((await verify()).valid) t.fail(`${kind} (the ${i}th, in ${name}) went unnoticed`)
    else found += 1
    write(dir, whole)
    if (i % 50 === 0) t.match(await verify(), { valid: true }, 'what was put back is whole')
  }
  t.match(await verify(), { valid: true })
  t.equal(found, count, `${found} of ${count} were found`)
}
