import { existsSync, readFileSync, truncateSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import t from 'tap'
import { BESIDE, readGraph, writeGraph } from '../../src/rag/store/graph-file.ts'
import { folder } from '../support/folder.ts'

const making = { model: 'm', dimensions: 3 }
const save = (path: string) => writeFileSync(path, 'points')

t.test('a graph is written into the folder of its collection, which is never made for it', async t => {
  const home = folder(t)
  for (const dir of [home, join(home, BESIDE)]) {
    steps(writeGraph(dir, making, 7, save))
    t.match(
      readGraph(dir, making, path => path),
      { position: 7, graph: join(dir, 'vectors.hnsw') },
    )
  }
  const erased = join(home, 'erased')
  for (const dir of [erased, join(erased, BESIDE)]) t.throws(() => steps(writeGraph(dir, making, 7, save)), { code: 'ENOENT' })
  t.notOk(existsSync(erased))
})

t.test('a large graph is checked a little at a time, and is believed only once it is', async t => {
  const dir = folder(t)
  const bytes = 2 ** 26
  const large = (path: string) => {
    save(path)
    truncateSync(path, bytes)
  }
  const writing = writeGraph(dir, making, 7, large)
  t.notOk(writing.next().done)
  t.ok(existsSync(join(dir, 'vectors.hnsw')))
  t.notOk(existsSync(join(dir, 'vectors.json')))
  t.ok(steps(writing) > 10)
  t.equal(JSON.parse(readFileSync(join(dir, 'vectors.json'), 'utf8')).position, 7)
})

function steps(work: Generator) {
  let taken = 0
  while (!work.next().done) taken += 1
  return taken
}
