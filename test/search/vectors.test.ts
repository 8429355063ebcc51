import { existsSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import type { Test } from 'tap'
import t from 'tap'
import { openCollection } from '../../src/rag/store/collection.ts'
import { openVectors, scan } from '../../src/rag/vectors.ts'

const DIMENSIONS = 32
const COUNT = 1500
/** Small, so that a graph is made of few vectors. */
const EXACT_MAX = 500

t.test('the graph finds what an exact scan finds, and follows additions and removals', async t => {
  const { file, vectors, all } = filled(t)
  const queries = Array.from({ length: 50 }, (_, i) => unit(9000 + i))
  for (const query of queries) t.same(vectors.search(query, 10), scan(query, all, 10))
  while (vectors.step(DIMENSIONS)) {}
  t.match(vectors.size(), { graph: COUNT, flat: 0 })
  t.ok(recall(vectors, all, queries) > 0.97)

  file.remove('d0')
  all.delete(1)
  t.notOk(
    vectors.search(unit(0), 10).some(({ id }) => id === 1),
    'removed',
  )
  const added = add(file, 'late', 77_777)
  all.set(added, unit(77_777))
  t.match(vectors.search(unit(77_777), 1), [{ id: added }], 'added')
  t.ok(recall(vectors, all, queries) > 0.97)
})

t.test(
  'a saved graph is loaded and its tail replayed; one that is damaged, older than its header or of another model is made anew',
  async t => {
    const { dir, file, vectors, all } = filled(t)
    while (vectors.step(DIMENSIONS)) {}
    const path = join(dir, 'vectors.hnsw')
    t.ok(existsSync(path) && existsSync(join(dir, 'vectors.json')))
    const added = add(file, 'late', 77_777)
    all.set(added, unit(77_777))

    const reopened = openVectors(file, dir, 'm', EXACT_MAX)
    t.match(reopened.search(unit(77_777), 1), [{ id: added }])
    t.match(reopened.size(), { graph: COUNT, flat: 1 }, 'only the tail was read again')

    const whole = readFileSync(path)
    const damages: [string, () => void][] = [
      [
        'a sector of zeros',
        () => writeFileSync(path, Buffer.concat([whole.subarray(0, 4096), Buffer.alloc(512), whole.subarray(4608)])),
      ],
      ['cut short', () => writeFileSync(path, whole.subarray(0, whole.length >> 1))],
      ['no header', () => rmSync(join(dir, 'vectors.json'))],
    ]
    for (const [kind, damage] of damages) {
      damage()
      const anew = openVectors(file, dir, 'm', EXACT_MAX)
      t.same(anew.search(unit(3), 10), scan(unit(3), all, 10), kind)
      t.match(anew.size(), { graph: 0, flat: COUNT + 1 }, kind)
    }
    writeFileSync(path, whole)
    t.match(filledSize(openVectors(file, dir, 'another model', EXACT_MAX)), { graph: 0 })
  },
)

function filledSize(vectors: ReturnType<typeof openVectors>) {
  vectors.search(unit(1), 1)
  return vectors.size()
}

function filled(t: Test) {
  const dir = mkdtempSync(join(tmpdir(), 'vectors-'))
  const file = openCollection(dir, 'm')
  t.teardown(() => {
    file.close()
    rmSync(dir, { recursive: true, force: true })
  })
  const all = new Map<number, Float32Array>()
  for (let i = 0; i < COUNT; i++) all.set(add(file, `d${i}`, i), unit(i))
  return { dir, file, all, vectors: openVectors(file, dir, 'm', EXACT_MAX) }
}

/** Adds one passage and gives the id it was stored under. */
function add(file: ReturnType<typeof openCollection>, document: string, seed: number): number {
  file.append(document, 'v', [{ start_byte: 0, end_byte: 1, content: 'x' }], unit(seed))
  file.publish(document, 'v')
  return file.vectorsOf([document])[0]?.id ?? 0
}

function recall(vectors: ReturnType<typeof openVectors>, all: Map<number, Float32Array>, queries: Float32Array[]): number {
  const shares = queries.map(query => {
    const exact = new Set(scan(query, all, 10).map(({ id }) => id))
    return vectors.search(query, 10).filter(({ id }) => exact.has(id)).length / 10
  })
  return shares.reduce((sum, one) => sum + one, 0) / shares.length
}

/** A unit vector that depends on nothing but `seed` (mulberry32). */
function unit(seed: number): Float32Array {
  let state = seed * 2_654_435_761
  const random = () => {
    state = (state + 0x6d2b79f5) | 0
    let mixed = Math.imul(state ^ (state >>> 15), 1 | state)
    mixed = (mixed + Math.imul(mixed ^ (mixed >>> 7), 61 | mixed)) ^ mixed
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 4_294_967_296 - 0.5
  }
  const values = Float32Array.from({ length: DIMENSIONS }, random)
  const length = Math.hypot(...values)
  return values.map(value => value / length)
}
