// A write-ahead log that is torn or damaged by the disk: what opens is a state there once was, whole, or it does not open at all.
import { copyFileSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import t, { type Test } from 'tap'
import { openCatalogue } from '../../src/rag/store/catalogue.ts'
import { openCollection } from '../../src/rag/store/collection.ts'
import { dice } from '../support/dice.ts'
import { dataFolder, openParts } from './parts.ts'

const DOCUMENTS = 20
const TEARS = 40
const SECTOR = 512
const throwOf = dice(5)

/** Copies a database with its log as a crash of the disk could leave it, to a folder of its own. */
async function torn(t: Test, from: string, file: string): Promise<string> {
  const to = join(await dataFolder(t), 'torn')
  mkdirSync(to)
  copyFileSync(join(from, file), join(to, file))
  const log = readFileSync(join(from, `${file}-wal`))
  const place = throwOf(log.length)
  const damages = [
    () => log.subarray(0, place),
    () => Buffer.from(log).fill(0, place, Math.min(place + SECTOR, log.length)),
    () => Buffer.from(log).fill((log[place] ?? 0) ^ 0xff, place, place + 1),
    () => Buffer.concat([log.subarray(0, place), log.subarray(0, SECTOR)]),
  ]
  writeFileSync(join(to, `${file}-wal`), damages[throwOf(damages.length)]?.() ?? log)
  return to
}

/** What was done first is there, what was done later may not be: no hole between them. */
const isPrefix = (there: boolean[]) => there.every((one, i) => !one || i === 0 || there[i - 1])

t.test('a catalogue with a torn log holds the documents up to some moment, each with its job', async t => {
  const folder = await dataFolder(t)
  const parts = await openParts(folder, new Map(), { userBytesMax: 1_000_000 })
  t.teardown(() => parts.stop())
  const entries: { id: string; job_id: string }[] = []
  for (let n = 0; n < DOCUMENTS; n++) {
    const entry = await parts.upload('ann', `${n}.txt`, `text ${n}`)
    entries.push(entry)
    await parts.ended('ann', entry.job_id)
  }
  const seen = new Set<number>()
  for (let i = 0; i < TEARS; i++) {
    const catalogue = openCatalogue(await torn(t, folder, 'catalogue.sqlite'))
    const there = entries.map(({ id }) => catalogue.documents.byId(id) !== undefined)
    t.ok(isPrefix(there), there.map(Number).join(''))
    t.same(
      entries.map(({ job_id }) => catalogue.jobs.byId(job_id) !== undefined),
      there,
    )
    seen.add(there.filter(Boolean).length)
    catalogue.close()
  }
  t.ok(seen.size > 3, 'the tears met different moments')
})

t.test('a collection with a torn log shows versions up to some moment, each whole, with its words and vectors', async t => {
  const folder = await dataFolder(t)
  const file = openCollection(folder, 'm')
  t.teardown(() => file.close())
  const passages = Array.from({ length: 5 }, (_, i) => ({ start_byte: i, end_byte: i + 1, content: `common ${i}` }))
  const ids = Array.from({ length: DOCUMENTS }, (_, n) => `d${n}`)
  for (const id of ids) {
    file.append(id, 'v', passages, new Float32Array(5 * 4).fill(0.5))
    file.publish(id, 'v')
  }
  for (let i = 0; i < TEARS; i++) {
    const opened = openCollection(await torn(t, folder, 'passages.sqlite'), 'm')
    const counts = ids.map(id => [...opened.vectorsOf(JSON.stringify([id]))].length)
    t.ok(
      counts.every(count => count === 0 || count === 5),
      'none by halves',
    )
    t.ok(isPrefix(counts.map(count => count > 0)))
    const shown = counts.reduce((sum, count) => sum + count, 0)
    t.equal(opened.state().published, shown)
    t.equal(opened.match('common', 1000).length, shown)
    opened.close()
  }
})
