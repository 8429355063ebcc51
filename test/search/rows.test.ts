import t from 'tap'
import { openRows } from '../../src/rag/rows.ts'

const vector = (...numbers: number[]) => new Uint8Array(Float32Array.from(numbers).buffer)

t.test('rows come and go, and none take no memory', async t => {
  const rows = openRows(2)
  for (let id = 1; id <= 100; id++) rows.set({ id, published: 1, vector: vector(id, -id) })
  t.ok(rows.bytes >= 100 * 2 * 4)
  t.same(rows.nearest(Float32Array.of(1, 0), 2), [
    { id: 100, score: 100 },
    { id: 99, score: 99 },
  ])
  for (let id = 1; id <= 100; id++) t.ok(rows.delete(id))
  t.notOk(rows.delete(1))
  t.match(rows, { size: 0, bytes: 0 })
  rows.set({ id: 7, published: 2, vector: vector(3, 4) })
  t.same(rows.get(7), Float32Array.of(3, 4))
})
