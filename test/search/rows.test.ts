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

t.test('what is held shrinks as rows go, whichever go, and the others stay what they are', async t => {
  const COUNT = 5000
  const rows = openRows(2)
  const ids = Array.from({ length: COUNT }, (_, i) => i + 1)
  for (const id of ids) rows.set({ id, published: 1, vector: vector(id, -id) })
  const all = rows.bytes
  t.ok(all < 1.5 * COUNT * (2 * 4 + 50), `${all} bytes`)
  for (const id of ids) if (id % 5 > 0) t.ok(rows.delete(id))
  t.ok(rows.bytes < 0.4 * all, `${rows.bytes} bytes`)
  const left = ids.filter(id => id % 5 === 0)
  t.same(
    rows.ids().toSorted((a, b) => a - b),
    left,
  )
  for (const id of left) t.same(rows.get(id), Float32Array.of(id, -id))
  t.same(
    rows.nearest(Float32Array.of(0, 1), 3).map(({ id }) => id),
    [5, 10, 15],
  )
})
