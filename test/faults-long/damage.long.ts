import { copyFileSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import t from 'tap'
import { openCollection } from '../../src/rag/store/collection.ts'
import { openVectors } from '../../src/rag/vectors.ts'
import { dice } from '../support/dice.ts'

const DIMENSIONS = 16
const COUNT = 600
const DAMAGES = 500
const SECTOR = 512

const throwOf = dice(3)
function unit(): Float32Array {
  const values = Float32Array.from({ length: DIMENSIONS }, () => throwOf(2001) / 1000 - 1)
  const length = Math.hypot(...values)
  return values.map(value => value / length)
}

t.test('five hundred damaged files of a vector graph: none is believed, every answer is the right one', async t => {
  const dir = mkdtempSync(join(tmpdir(), 'damaged-'))
  const other = mkdtempSync(join(tmpdir(), 'other-'))
  t.teardown(() => {
    for (const folder of [dir, other]) rmSync(folder, { recursive: true, force: true })
  })
  const all = filled(dir)
  filled(other)
  const file = openCollection(dir, 'm')
  t.teardown(() => file.close())
  const paths = ['vectors.hnsw', 'vectors.json'].map(name => join(dir, name))
  const whole = paths.map(path => readFileSync(path))
  const [body = '', header = ''] = paths

  /** One damage of any kind; gives its name. */
  function damage(): string {
    const at = throwOf(2)
    const [path = '', bytes = Buffer.alloc(0)] = [paths[at], Buffer.from(whole[at] ?? '')]
    const place = throwOf(bytes.length)
    const kinds: Record<string, () => void> = {
      'a changed byte': () => writeFileSync(path, bytes.fill((bytes[place] ?? 0) ^ (1 + throwOf(255)), place, place + 1)),
      'a sector of zeros': () => {
        const start = place - (place % SECTOR)
        const zeroed = Buffer.from(bytes).fill(0, start, Math.min(start + SECTOR, bytes.length))
        writeFileSync(path, zeroed.equals(bytes) ? zeroed.subarray(1) : zeroed)
      },
      'cut short': () => writeFileSync(path, bytes.subarray(0, place)),
      'grown longer': () => writeFileSync(path, Buffer.concat([bytes, Buffer.alloc(1 + throwOf(SECTOR))])),
      gone: () => rmSync(path),
      'that of another collection': () => copyFileSync(join(other, 'vectors.hnsw'), body),
      'ahead of its file': () => writeFileSync(header, String(whole[1]).replace(/"position":\d+/, '"position":9999')),
    }
    const names = Object.keys(kinds)
    const name = names[throwOf(names.length)] ?? ''
    kinds[name]?.()
    return `${name}, file ${at}, byte ${place}`
  }

  for (let i = 0; i < DAMAGES; i++) {
    for (const [at, path] of paths.entries()) writeFileSync(path, whole[at] ?? '')
    const kind = damage()
    const vectors = openVectors(file, { dir, model: 'm', dimensions: DIMENSIONS, exactMax: 100 })
    const query = unit()
    const right = all
      .map(({ id, vector }) => ({ id, score: vector.reduce((sum, value, j) => sum + value * (query[j] ?? 0), 0) }))
      .toSorted((a, b) => b.score - a.score)
    t.same(
      vectors.search(query, 10).map(({ id }) => id),
      right.slice(0, 10).map(({ id }) => id),
      `${i}: ${kind}`,
    )
  }
})

/** A collection of vectors whose graph is made and saved. */
function filled(dir: string) {
  const file = openCollection(dir, 'm')
  const vectors = Array.from({ length: COUNT }, unit)
  const passages = vectors.map((_, i) => ({ start_byte: i, end_byte: i + 1, content: 'x' }))
  file.append('d', 'v', passages, Float32Array.from(vectors.flatMap(vector => [...vector])))
  file.publish('d', 'v')
  const index = openVectors(file, { dir, model: 'm', dimensions: DIMENSIONS, exactMax: 100 })
  while (index.step()) {}
  const all = [...file.vectorsOf(JSON.stringify(['d']))].map(({ id }, i) => ({
    id,
    vector: vectors[i] ?? new Float32Array(DIMENSIONS),
  }))
  file.close()
  return all
}
