import { existsSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import t from 'tap'
import { BESIDE, readGraph, writeGraph } from '../../src/rag/store/graph-file.ts'
import { folder } from '../support/folder.ts'

const making = { model: 'm', dimensions: 3 }
const save = (path: string) => writeFileSync(path, 'points')

t.test('a graph is written into the folder of its collection, which is never made for it', async t => {
  const home = folder(t)
  for (const dir of [home, join(home, BESIDE)]) {
    writeGraph(dir, making, 7, save)
    t.match(
      readGraph(dir, making, path => path),
      { position: 7, graph: join(dir, 'vectors.hnsw') },
    )
  }
  const erased = join(home, 'erased')
  for (const dir of [erased, join(erased, BESIDE)]) t.throws(() => writeGraph(dir, making, 7, save), { code: 'ENOENT' })
  t.notOk(existsSync(erased))
})
