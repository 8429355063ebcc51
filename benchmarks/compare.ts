// Compares two runs of a benchmark, given as their JSON files: every ratio side by side, and those that fell by more than 15 % named.
// Ends with 1 when there is one.
import { readFileSync } from 'node:fs'
import type { Row } from './report.ts'

/** Smallest fall of a ratio that is flagged. Between runs on a shared machine ratios differ by less. */
const FALL = 0.15

const [before, after] = process.argv.slice(2)
if (!before || !after) {
  process.stderr.write('Name two results: make bench-compare A=old.json B=new.json\n')
  process.exit(2)
}
const older = rowsOf(before)
let fallen = 0
for (const [label, { value, unit }] of rowsOf(after)) {
  const old = older.get(label)
  if (!old || old.unit !== unit) continue
  // Costs ("times quiet", "ms") are better when lower; only what has no absolute unit can be compared between machines.
  const isCost = unit.startsWith('times ')
  const isShare = unit.startsWith('of ') || unit.startsWith('nDCG') || unit.startsWith('recall')
  if (!isCost && !isShare) continue
  const change = value / old.value - 1
  const isWorse = isCost ? change > FALL : change < -FALL
  if (isWorse) fallen += 1
  process.stdout.write(
    `${isWorse ? 'WORSE ' : '      '}${label}: ${old.value} → ${value} ${unit} (${(change * 100).toFixed(1)} %)\n`,
  )
}
process.stdout.write(`${fallen} worse by more than ${FALL * 100} %\n`)
process.exitCode = fallen > 0 ? 1 : 0

function rowsOf(path: string): Map<string, Row> {
  const { rows } = JSON.parse(readFileSync(path, 'utf8')) as { rows: Row[] }
  return new Map(rows.map(row => [row.label, row]))
}
