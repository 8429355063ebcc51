// Compares two runs of a benchmark, given as their JSON files: what two runs may be compared by, side by side, and each row named that is
// worse by more than 15 % or not there any more. Rows kept from earlier runs are left out. Ends with 1 when one is worse.
import { readFileSync } from 'node:fs'
import type { Row, Whole } from './report.ts'

/** Smallest change for the worse that is flagged. Between runs on a shared machine ratios differ by less. */
const WORSE = 0.15

const [before, after] = process.argv.slice(2)
if (!before || !after) {
  process.stderr.write('Name two results: make bench-compare A=old.json B=new.json\n')
  process.exit(2)
}
const [a, b] = [resultsOf(before), resultsOf(after)]
// A small run does not have the rows of a full one.
const isSameCommand = a.command === b.command
process.stdout.write(`A: ${a.told}\nB: ${b.told}\n`)
if (!isSameCommand) process.stdout.write('The commands differ: a row that only A has is named, and not counted as worse.\n')
let worse = 0
let compared = 0
for (const [key, { label, value: old, unit, better }] of a.rows) {
  if (!better) continue
  const value = b.rows.get(key)?.value
  if (value !== undefined) compared += 1
  const change = value === undefined ? Number.NaN : value === old ? 0 : value / old - 1
  // From nothing there is no share: whatever comes then is a change.
  const isWorse = value === undefined ? isSameCommand : better === 'higher' ? change < -WORSE : change > WORSE
  if (isWorse) worse += 1
  const told = value === undefined ? 'not measured in B' : `${old} → ${value} ${unit} (${(change * 100).toFixed(1)} %)`
  process.stdout.write(`${isWorse ? 'WORSE ' : '      '}${label}: ${told}\n`)
}
process.stdout.write(`${compared} compared, ${worse} worse by more than ${WORSE * 100} % or missing\n`)
process.exitCode = worse > 0 ? 1 : 0

/** The rows a run measured itself, by label and unit, as some are told in two; and which run it was. */
function resultsOf(path: string) {
  const { rows, command, date, machine, versions } = JSON.parse(readFileSync(path, 'utf8')) as Whole
  const measured = rows.filter(({ made }) => !made)
  const kept = `${rows.length - measured.length} kept from earlier runs left out`
  return {
    command,
    told: `${command}, ${date}, at ${versions.commit}, on ${machine}; ${measured.length} rows, ${kept}`,
    rows: new Map<string, Row>(measured.map(row => [`${row.label} ${row.unit}`, row])),
  }
}
