// What every benchmark does with its numbers: one JSON line on stdout, one file in results/, its rows in the table of README.md and a plot.
import { execFileSync } from 'node:child_process'
import { mkdirSync, readdirSync, readFileSync, writeFileSync } from 'node:fs'
import { cpus, totalmem } from 'node:os'
import { join } from 'node:path'

const folder = import.meta.dirname
const START = '<!-- table: written by the benchmarks -->'
const END = '<!-- end of table -->'

/** One measured line: what was measured, its value, the spread of its runs, and what the value is a ratio to, if it is one. */
export interface Row {
  label: string
  value: number
  /** Least and greatest of the runs behind the median. */
  spread?: [number, number]
  unit: string
}
export interface Findings {
  name: string
  /** The sentence the numbers are there for. */
  claim: string
  command: string
  /** Seeds, sizes, everything needed to repeat it. */
  setting: Record<string, unknown>
  rows: Row[]
  notClaimed: string
}

/** Prints and keeps the findings. */
export function report(findings: Findings) {
  const whole = { ...findings, date: new Date().toISOString(), machine: machine(), versions: versions() }
  process.stdout.write(`${JSON.stringify(whole)}\n`)
  const results = join(folder, 'results')
  mkdirSync(results, { recursive: true })
  writeFileSync(join(results, `${findings.name}.json`), `${JSON.stringify(whole, null, 2)}\n`)
  writeFileSync(join(results, `${findings.name}.svg`), plot(findings))
  const all = readdirSync(results)
    .filter(name => name.endsWith('.json'))
    .toSorted()
    .map(name => JSON.parse(readFileSync(join(results, name), 'utf8')) as typeof whole)
  const page = join(folder, 'README.md')
  const text = readFileSync(page, 'utf8')
  const [before, rest = ''] = text.split(START)
  const [, after = ''] = rest.split(END)
  writeFileSync(page, `${before}${START}\n${all.map(section).join('\n')}${END}${after}`)
}

/** The middle of several runs. */
export function median(values: number[]): number {
  const ordered = values.toSorted((a, b) => a - b)
  const half = ordered.length >> 1
  return ordered.length % 2 === 1 ? (ordered[half] ?? 0) : ((ordered[half - 1] ?? 0) + (ordered[half] ?? 0)) / 2
}

/** A row from several runs. */
export function rowOf(label: string, unit: string, runs: number[]): Row {
  return { label, value: round(median(runs)), spread: [round(Math.min(...runs)), round(Math.max(...runs))], unit }
}

const round = (value: number) => Number(value.toPrecision(4))

function machine(): string {
  return `${cpus().length} × ${cpus()[0]?.model ?? 'unknown'}, ${Math.round(totalmem() / 2 ** 30)} GiB`
}

function versions() {
  const { version, dependencies } = JSON.parse(readFileSync(join(folder, '../package.json'), 'utf8'))
  const commit = execFileSync('git', ['rev-parse', '--short', 'HEAD'], { cwd: folder, encoding: 'utf8' }).trim()
  return { version, commit, node: process.version, fastify: dependencies.fastify }
}

function section({
  name,
  claim,
  command,
  date,
  machine,
  rows,
  notClaimed,
}: Findings & { date: string; machine: string }): string {
  const lines = rows.map(
    ({ label, value, spread, unit }) => `| ${label} | ${value} ${unit} | ${spread ? `${spread[0]}–${spread[1]}` : ''} |`,
  )
  const head = `### ${name}\n\n${claim} \`${command}\`, ${date.slice(0, 10)}, ${machine}. Not claimed: ${notClaimed}\n`
  return `${head}\n| measured | median | spread |\n|---|---|---|\n${lines.join('\n')}\n\n![${name}](results/${name}.svg)\n`
}

/** Bars, one per row, scaled to the greatest of the same unit. */
function plot({ name, rows }: Findings): string {
  const lineHeight = 22
  const greatest = (unit: string) => Math.max(...rows.filter(row => row.unit === unit).map(({ value }) => value))
  const bars = rows.map(({ label, value, unit }, i) => {
    const y = 34 + i * lineHeight
    const width = Math.max(1, (value / greatest(unit)) * 300)
    return `<text x="330" y="${y + 12}" text-anchor="end">${xml(label)}</text><rect x="340" y="${y}" width="${width.toFixed(1)}" height="15" fill="#3b6ea5"/><text x="${(346 + width).toFixed(1)}" y="${y + 12}">${value} ${xml(unit)}</text>`
  })
  const height = 44 + rows.length * lineHeight
  return `<svg xmlns="http://www.w3.org/2000/svg" width="780" height="${height}" font-family="sans-serif" font-size="12"><rect width="780" height="${height}" fill="#fff"/><text x="10" y="20" font-size="14">${xml(name)}</text>${bars.join('')}</svg>\n`
}

const xml = (text: string) => text.replaceAll('&', '&amp;').replaceAll('<', '&lt;')
