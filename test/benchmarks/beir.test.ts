// Sets of the BEIR layout, packed and as they are published, and the benchmark of retrieval where there is none.
import { spawnSync } from 'node:child_process'
import { mkdirSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { gzipSync } from 'node:zlib'
import t from 'tap'
import { documents, judgedQueries } from '../../benchmarks/beir.ts'
import { folder } from '../support/folder.ts'

const corpus = '{"_id":"a","title":"Tides","text":"High water at six."}\n{"_id":"b","title":"","text":"Low water at noon."}\n'
const queries = '{"_id":"1","text":"high water"}\n{"_id":"2","text":"nobody judged this"}\n'

/** A folder `parent` in which `tides` is a set; gives the set's own. */
function setIn(parent: string, packed: boolean): string {
  const dir = join(parent, 'tides')
  mkdirSync(join(dir, 'qrels'), { recursive: true })
  for (const [name, text] of Object.entries({ corpus, queries }))
    writeFileSync(join(dir, `${name}.jsonl${packed ? '.gz' : ''}`), packed ? gzipSync(text) : text)
  writeFileSync(join(dir, 'qrels/test.tsv'), 'query-id\tcorpus-id\tscore\n1\ta\t2\n')
  return dir
}

for (const packed of [true, false])
  t.test(`a set is read, ${packed ? 'packed' : 'as it is'}`, async t => {
    const dir = setIn(folder(t), packed)
    t.same(documents(dir), [
      { id: 'a', text: 'Tides\n\nHigh water at six.' },
      { id: 'b', text: 'Low water at noon.' },
    ])
    t.same(judgedQueries(dir), [{ id: '1', text: 'high water', judged: new Map([['a', 2]]) }])
  })

t.test('retrieval stops where a set is not there, and says so', async t => {
  const parent = folder(t)
  const run = (...options: string[]) => {
    const { status, stdout, stderr } = spawnSync(process.execPath, ['benchmarks/retrieval.ts', ...options], { encoding: 'utf8' })
    return { status, stdout, stderr }
  }
  t.match(run('--data', parent), { status: 1, stdout: '', stderr: `There is no set of the BEIR layout in ${parent}. ` })
  t.match(run('--data', join(parent, 'nowhere')), { status: 1, stdout: '', stderr: /^There is no set of the BEIR layout in / })
  const tides = setIn(parent, false)
  const unknown = { status: 1, stdout: '', stderr: /^There is no set winds in .*\. There are tides\.\n$/ }
  t.match(run('--data', parent, '--sets', 'tides,winds'), unknown)
  t.match(run('--data', tides, '--sets', 'winds'), unknown)
})
