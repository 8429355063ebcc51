import { execFile } from 'node:child_process'
import { writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { promisify } from 'node:util'
import t, { type Test } from 'tap'
import type { Row } from '../../benchmarks/report.ts'

const compare = join(import.meta.dirname, '../../benchmarks/compare.ts')
const made = { command: 'node benchmarks/x.ts --old', date: '2026-01-01', machine: 'old machine', commit: 'aaaaaaa' }
const fast = (value: number): Row => ({ label: 'fast', value, unit: 'times', better: 'higher' })
const slow = (value: number): Row => ({ label: 'slow', value, unit: 'times', better: 'lower' })

/** Compares two runs of these rows, A of `node benchmarks/x.ts`, B of `command`. */
async function compared(t: Test, before: Row[], after: Row[], command = 'node benchmarks/x.ts') {
  const dir = t.testdir()
  const file = (name: string, command: string, rows: Row[]) => {
    const run = { command, date: `2026-02-0${name === 'A' ? 1 : 2}`, machine: `machine ${name}`, versions: { commit: 'bbbbbbb' } }
    writeFileSync(join(dir, name), JSON.stringify({ ...run, rows }))
    return join(dir, name)
  }
  const files = [file('A', 'node benchmarks/x.ts', before), file('B', command, after)]
  const ended = promisify(execFile)(process.execPath, [compare, ...files]).then(output => ({ code: 0, ...output }))
  const { code, stdout } = (await ended.catch(error => error)) as { code: number; stdout: string }
  return { code, lines: stdout.trimEnd().split('\n') }
}

t.test('both runs stand at the top, and what is worse is named and ends with 1', async t => {
  t.same(await compared(t, [fast(2), slow(1)], [fast(1), slow(1.1)]), {
    code: 1,
    lines: [
      'A: node benchmarks/x.ts, 2026-02-01, at bbbbbbb, on machine A; 2 rows, 0 kept from earlier runs left out',
      'B: node benchmarks/x.ts, 2026-02-02, at bbbbbbb, on machine B; 2 rows, 0 kept from earlier runs left out',
      'WORSE fast: 2 → 1 times (-50.0 %)',
      '      slow: 1 → 1.1 times (10.0 %)',
      '2 compared, 1 worse by more than 15 % or missing',
    ],
  })
})

t.test('rows kept from an earlier run are counted and not compared, whichever run kept them', async t => {
  const { code, lines } = await compared(t, [{ ...fast(2), made }, slow(1)], [fast(1), slow(1), { ...fast(9), label: 'x', made }])
  t.equal(code, 0)
  t.match(lines[0], /1 rows, 1 kept/)
  t.match(lines[1], /2 rows, 1 kept/)
  t.same(lines.slice(2), ['      slow: 1 → 1 times (0.0 %)', '1 compared, 0 worse by more than 15 % or missing'])
  // What B only kept it did not measure.
  const { code: ended, lines: said } = await compared(t, [fast(2)], [{ ...fast(2), made }])
  t.equal(ended, 1)
  t.equal(said[2], 'WORSE fast: not measured in B')
})

t.test('a row that is missing counts as worse after the same command, and is only named after another', async t => {
  const same = await compared(t, [fast(2), slow(1)], [fast(2)])
  t.equal(same.code, 1)
  t.equal(same.lines[3], 'WORSE slow: not measured in B')
  const other = await compared(t, [fast(2), slow(1)], [fast(2)], 'node benchmarks/x.ts --small')
  t.equal(other.code, 0)
  t.match(other.lines[2], /^The commands differ/)
  t.equal(other.lines[4], '      slow: not measured in B')
  t.equal((await compared(t, [fast(2)], [fast(1)], 'node benchmarks/x.ts --small')).code, 1)
})
