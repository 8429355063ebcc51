// Twin of src/rag/mending.ts: a collection's file alone is damaged while nothing runs; the next start says so and makes good what was lost.
import { cpSync, existsSync, readdirSync, readFileSync, rmSync, statSync, truncateSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import t, { type Test } from 'tap'
import { openCollection, removeCollection } from '../../src/rag/store/collection.ts'
import { isDamaged } from '../../src/rag/store/database.ts'
import { dataFolder, openParts, realFiles, type Shelf } from './parts.ts'

const DOCUMENTS = 6
/** One each, and one more for what is replaced. */
const JOBS = DOCUMENTS + 1

const embed = async (texts: string[]) => new Float32Array(texts.length * 4).fill(0.5)

/** A data folder with documents, one of them replaced and one erased, as it lies on the disk while rag runs. */
async function filled(t: Test) {
  const folder = await dataFolder(t)
  const { write } = realFiles(t)
  const parts = await openParts(folder, new Map() as Shelf, { userBytesMax: 10_000, stages: { write, embed } })
  t.teardown(() => parts.stop())
  const add = async (name: string, text: string) => {
    const entry = await parts.upload('ann', name, text)
    await parts.ended('ann', entry.job_id)
    return entry.id
  }
  const gone = await add('gone.txt', 'a planted word')
  const collection = parts.collections.home('ann').id
  await parts.erasures.document('ann', collection, gone)
  for (let n = 0; n < DOCUMENTS; n++) await add(`${n}.txt`, `text ${n}\nmore of ${n}`)
  await add('0.txt', 'another text 0')
  const still = await dataFolder(t)
  cpSync(folder, still, { recursive: true })
  return { folder: still, dir: join(still, 'collections', collection), collection }
}

/** Opens what lies in the folder, waits until nothing is left to do, and compares file and catalogue; gives how many jobs it took. */
async function opened(t: Test, folder: string, collection: string): Promise<number> {
  const { write, of, closeAll } = realFiles(t)
  const parts = await openParts(folder, new Map() as Shelf, { userBytesMax: 10_000, stages: { write, embed } })
  const { documents } = parts.documents.list('ann', { limit: 100 })
  for (const { job_id } of documents) await parts.ended('ann', job_id)
  const jobs = documents.reduce((sum, { id }) => sum + parts.catalogue.jobs.countOf(id), 0)
  const wanted = parts.catalogue.documents.shown(collection)
  t.equal(wanted.length, DOCUMENTS)
  const file = of(parts.originals.directory(collection))
  const order = (rows: { document: string; version: string; passages: number }[]) =>
    rows.map(({ document, version, passages }) => `${document} ${version} ${passages}`).toSorted()
  t.same(order(file.audit(-1)?.shown ?? []), order(wanted), 'the file shows what the catalogue says')
  t.equal(file.match('planted', 10).length, 0, 'what was erased stays away')
  t.equal(parts.catalogue.collections.position(collection), file.state().position, 'and it is not made again at the next start')
  await parts.stop()
  await closeAll()
  return jobs - JOBS
}

t.test('a file whose last changes are lost, by any number of bytes of its log, is made whole from the originals', async t => {
  const whole = await filled(t)
  const log = statSync(join(whole.dir, 'passages.sqlite-wal')).size
  t.ok(log > 0)
  const seen = new Set<number>()
  for (const share of [0, 0.3, 0.6, 0.8, 0.95, 0.999, 1]) {
    const folder = await dataFolder(t)
    cpSync(whole.folder, folder, { recursive: true })
    const dir = join(folder, 'collections', whole.collection)
    rmSync(join(dir, 'passages.sqlite-shm'), { force: true })
    truncateSync(join(dir, 'passages.sqlite-wal'), Math.floor(log * share))
    seen.add(await opened(t, folder, whole.collection))
  }
  t.ok(seen.has(0) && seen.size > 2, `so many documents were made again: ${[...seen]}`)
})

t.test('an older file put in its place, another one, none at all: what is shown is what the catalogue says', async t => {
  const { folder, dir, collection } = await filled(t)
  const file = openCollection(dir, 'm')
  file.append('stranger', 'v', [{ start_byte: 0, end_byte: 1, content: 'planted' }], new Float32Array(4))
  file.publish('stranger', 'v')
  file.close()
  t.equal(await opened(t, folder, collection), 0, 'what nobody knows is taken out')
  removeCollection(dir)
  t.notOk(existsSync(join(dir, 'passages.sqlite')))
  t.equal(await opened(t, folder, collection), DOCUMENTS)
})

t.test('a file with its first bytes changed is known as damaged', async t => {
  const { dir } = await filled(t)
  openCollection(dir, 'm').close()
  const path = join(dir, 'passages.sqlite')
  writeFileSync(path, readFileSync(path).fill(0xff, 0, 512))
  try {
    openCollection(dir, 'm').close()
    t.fail('it was opened')
  } catch (error) {
    t.ok(isDamaged(error), String(error))
  }
})

t.test('passages lost between the intent to show them and the flip are made again first', async t => {
  const folder = await dataFolder(t)
  const { write } = realFiles(t)
  const reached = Promise.withResolvers<void>()
  const dies = async () => {
    reached.resolve()
    return new Promise<never>(() => {})
  }
  const before = await openParts(folder, new Map() as Shelf, { stages: { write: { ...write, publish: dies }, embed } })
  const { id, job_id } = await before.upload('ann', 'a.txt', 'one\ntwo')
  await reached.promise
  const still = await dataFolder(t)
  cpSync(folder, still, { recursive: true })
  before.catalogue.close()
  const { of, write: real } = realFiles(t)
  const dir = join(still, 'collections', readdirSync(join(still, 'collections'))[0] ?? '')
  rmSync(join(dir, 'passages.sqlite-shm'), { force: true })
  truncateSync(join(dir, 'passages.sqlite-wal'), 0)
  const after = await openParts(still, new Map() as Shelf, { stages: { write: real, embed } })
  t.teardown(() => after.stop())
  t.match(await after.ended('ann', job_id), { state: 'ready' })
  t.match(of(dir).audit(-1)?.shown, [{ document: id, passages: 2 }])
})
