import { execFile } from 'node:child_process'
import { chmodSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { promisify } from 'node:util'
import t, { type Test } from 'tap'

/** Runs .ci/run with a `make` whose `check` and `test` are these two scripts; what is under test is what .ci/run makes of them. */
async function ci(t: Test, check: string, test: string) {
  const bin = t.testdir()
  writeFileSync(join(bin, 'make'), `#!/bin/sh\ncase $1 in check) ${check};; test) ${test};; esac\n`)
  chmodSync(join(bin, 'make'), 0o755)
  const options = { env: { PATH: `${bin}:${process.env.PATH}` } }
  const ended = promisify(execFile)(join(import.meta.dirname, '../../.ci/run'), options).then(output => ({ code: 0, ...output }))
  const { code, stdout } = await ended.catch(error => error)
  const lines: string[] = stdout.trimEnd().split('\n')
  return { ended: [code, lines.at(-1)], lines }
}

t.test("the last line holds tap's own counts, and one failure anywhere fails the run", async t => {
  t.same((await ci(t, 'true', 'echo "# { total: 12, pass: 12 }"')).ended, [0, '12 passed, 0 failed'])
  t.same((await ci(t, 'true', 'echo "# { total: 12, pass: 11, skip: 1 }"')).ended, [0, '11 passed, 0 failed'])
  t.same((await ci(t, 'true', 'echo "# { total: 12, pass: 9, fail: 2, skip: 1 }"; exit 1')).ended, [1, '9 passed, 2 failed'])
})

t.test('a failed check counts as a failure though every test passes', async t => {
  t.same((await ci(t, 'exit 2', 'echo "# { total: 12, pass: 12 }"')).ended, [1, '12 passed, 1 failed'])
})

t.test('a run that ends badly or without a count is a failure', async t => {
  t.same((await ci(t, 'true', 'echo "no tests"')).ended, [1, '0 passed, 1 failed'])
  t.same((await ci(t, 'true', 'echo "# { total: 12, pass: 12 }"; exit 1')).ended, [1, '12 passed, 1 failed'])
})

t.test('what failed stands by name right above the last line', async t => {
  const tests =
    'printf "    not ok 1 - sums # time=2ms\\n      diff: 3\\nnot ok 1 - test/sum.test.ts # time=9ms\\n# { total: 2, pass: 1, fail: 1 }\\n"; exit 1'
  t.same((await ci(t, 'true', tests)).lines.slice(-3), [
    '    not ok 1 - sums',
    'not ok 1 - test/sum.test.ts',
    '1 passed, 1 failed',
  ])
})
