// Compares two runs of a benchmark, given as their JSON files: what two runs may be compared by, side by side, and each row named that is
// worse by more than 15 % or not there any more. Ends with 1 when there is one.
import { readFileSync } from 'node:fs'
import type { Row } from './report.ts'

/** Smallest change for the worse that is flagged. Between runs on a shared machine ratios differ by less. */
const WORSE = 0.15

const [before, after] = process.argv.slice(2)
if (!before || !after) {
  process.stderr.write('Name two results: make bench-compare A=old.json B=new.json\n')
  process.exit(2)
}
const now = rowsOf(after)
let worse = 0
for (const [key, { label, value: old, unit, better }] of rowsOf(before)) {
  if (!better) continue
  const value = now.get(key)?.value
  const change = value === undefined ? Number.NaN : value === old ? 0 : value / old - 1
  // From nothing there is no share: whatever comes then is a change.
  const isWorse = value === undefined || (better === 'higher' ? change < -WORSE : change > WORSE)
  if (isWorse) worse += 1
  const told = value === undefined ? 'not measured any more' : `${old} → ${value} ${unit} (${(change * 100).toFixed(1)} %)`
  process.stdout.write(`${isWorse ? 'WORSE ' : '      '}${label}: ${told}\n`)
}
process.stdout.write(`${worse} worse by more than ${WORSE * 100} %\n`)
process.exitCode = worse > 0 ? 1 : 0

/** By label and unit: some are told in two. */
function rowsOf(path: string): Map<string, Row> {
  const { rows } = JSON.parse(readFileSync(path, 'utf8')) as { rows: Row[] }
  return new Map(rows.map(row => [`${row.label} ${row.unit}`, row]))
}
