// What stays on the disk of what was uploaded (ingest.ts, uploads.ts, tables/holdings.ts): what a document, a version or a job needs, and
// nothing else; all of it counts, and an erasure takes all of it. The data folder itself is searched for the bytes.
import { mkdirSync, readdirSync, readFileSync, renameSync, rmdirSync } from 'node:fs'
import { join } from 'node:path'
import { DatabaseSync } from 'node:sqlite'
import t, { type Test } from 'tap'
import { failure } from '../../src/platform/errors.ts'
import type { Stages } from '../../src/rag/ingest.ts'
import { openCatalogue } from '../../src/rag/store/catalogue.ts'
import { openDatabase } from '../../src/rag/store/database.ts'
import { schemas } from '../../src/rag/store/schema.ts'
import { dataFolder, openParts, plainStages, type Shelf } from './parts.ts'

/** Jobs of a document whose rows outlast them. */
const JOBS_REMEMBERED = 20

/** Which of these words stand in some file below the folder. */
function onDisk(folder: string, words: readonly string[]): string[] {
  const files = readdirSync(folder, { recursive: true, withFileTypes: true }).filter(entry => entry.isFile())
  const held = files.map(({ parentPath, name }) => readFileSync(join(parentPath, name), 'latin1'))
  return words.filter(word => held.some(bytes => bytes.includes(word)))
}

/** Parts in a folder of their own. What contains "bad" cannot be read, what contains "slow" is read when it is given up. */
async function house(t: Test, options: Parameters<typeof openParts>[2] = {}) {
  const folder = await dataFolder(t)
  const plain = plainStages(new Map())
  const extract: Stages['extract'] = async (file, signal) => {
    const { text } = await plain.extract(file, signal)
    if (text.includes('bad')) throw failure('damaged')
    if (text.includes('slow')) await new Promise((_, reject) => signal.addEventListener('abort', () => reject(signal.reason)))
    return plain.extract(file, signal)
  }
  const parts = await openParts(folder, new Map(), { stages: { extract }, ...options })
  t.teardown(() => parts.stop())
  return {
    folder,
    ...parts,
    /** Uploads under one name and waits until it is ready or has failed. */
    async becomes(text: string) {
      const { id, job_id } = await parts.upload('ann', 'x.bin', text)
      return { ...(await parts.ended('ann', job_id)), id }
    },
  }
}

/** Lets nothing be written that the trigger forbids, like a disk that takes nothing. */
function forbid(folder: string, what: string) {
  const raw = new DatabaseSync(join(folder, 'catalogue.sqlite'))
  raw.exec(`CREATE TRIGGER forbidden BEFORE ${what} BEGIN SELECT RAISE(ABORT, 'forbidden'); END`)
  raw.close()
}

t.test('bytes whose job failed are gone when others took their place', async t => {
  const { folder, becomes } = await house(t)
  const texts = Array.from({ length: 5 }, (_, n) => `bad ${n}`)
  for (const text of texts) t.match(await becomes(text), { state: 'failed' })
  t.same(onDisk(folder, texts), texts.slice(-1), 'the last can be tried again')
  await becomes('good')
  t.same(onDisk(folder, [...texts, 'good']), ['good'])
})

t.test('bytes whose job was cancelled, under way or waiting, are gone when others took their place', async t => {
  const { folder, upload, ended, documents, becomes } = await house(t)
  const under = await upload('ann', 'x.bin', 'slow 1')
  while (documents.job('ann', under.job_id).state !== 'extracting') await new Promise(setImmediate)
  const waiting = await upload('ann', 'x.bin', 'slow 2')
  const last = await upload('ann', 'x.bin', 'slow 3')
  t.same(onDisk(folder, ['slow 1', 'slow 2', 'slow 3']), ['slow 1', 'slow 2', 'slow 3'], 'they are still needed')
  await documents.cancel('ann', waiting.job_id)
  t.same(onDisk(folder, ['slow 1', 'slow 2', 'slow 3']), ['slow 1', 'slow 3'])
  await documents.cancel('ann', under.job_id)
  t.same(onDisk(folder, ['slow 1', 'slow 2', 'slow 3']), ['slow 3'])
  while (documents.job('ann', last.job_id).state !== 'extracting') await new Promise(setImmediate)
  await documents.cancel('ann', last.job_id)
  t.match(await ended('ann', last.job_id), { state: 'failed' })
  await becomes('good')
  t.same(onDisk(folder, ['slow 1', 'slow 2', 'slow 3', 'good']), ['good'])
})

t.test('of one text that comes in other bytes only the last bytes stay', async t => {
  const { folder, becomes, documents } = await house(t)
  let id = ''
  for (let n = 0; n < 4; n++) id = (await becomes(`text${'\n'.repeat(n)}`)).id
  const { collection_id, versions } = documents.one('ann', id)
  t.equal(versions.length, 1)
  t.same(
    readdirSync(join(folder, 'collections', collection_id, 'originals')),
    [documents.content('ann', id).etag],
    'nothing but what is read back',
  )
  t.equal(readFileSync(documents.content('ann', id).path, 'utf8'), 'text\n\n\n')
})

t.test('bytes that another document has stay for it, and go with the last that needs them', async t => {
  const { folder, upload, ended, becomes, erasures, documents } = await house(t, { versionsKept: 1 })
  const { id } = await becomes('shared')
  await becomes('second version')
  t.same(onDisk(folder, ['shared']), [])
  await becomes('bad shared')
  const replaced = await upload('ann', 'x.bin', 'third version')
  const other = await upload('ann', 'other.bin', 'bad shared')
  for (const { job_id } of [replaced, other]) await ended('ann', job_id)
  t.same(onDisk(folder, ['bad shared']), ['bad shared'])
  const { collection_id } = documents.one('ann', id)
  await erasures.document('ann', collection_id, id)
  t.same(onDisk(folder, ['bad shared']), ['bad shared'])
  await erasures.document('ann', collection_id, other.id)
  t.same(onDisk(folder, ['bad shared']), [])
})

t.test('older versions count against the space of the owner; what is gone does not', async t => {
  const { becomes, erasures, documents } = await house(t, { userBytesMax: 30, versionsKept: 3 })
  const { id } = await becomes('12345678')
  for (let n = 0; n < 10; n++) t.match(await becomes(`bad ${n}9876`), { state: 'failed' }, 'what is gone makes room')
  await becomes('abcdefgh')
  await becomes('ABCDEFGH')
  await t.rejects(becomes('new text'), { code: 'storage_full' }, 'three versions are kept')
  await erasures.document('ann', documents.one('ann', id).collection_id, id)
  t.match(await becomes('new text'), { state: 'ready' })
})

t.test('an erasure takes what could not be removed earlier, however long ago that was', async t => {
  const { folder, becomes, documents, erasures } = await house(t)
  const { id } = await becomes('bad first')
  const { path } = documents.content('ann', id)
  // A folder in its place cannot be removed like a file.
  renameSync(path, join(folder, 'aside'))
  mkdirSync(path)
  for (let n = 0; n <= JOBS_REMEMBERED; n++) await becomes(`bad ${n} later`)
  rmdirSync(path)
  renameSync(join(folder, 'aside'), path)
  t.same(onDisk(folder, ['bad first']), ['bad first'])
  await erasures.document('ann', documents.one('ann', id).collection_id, id)
  t.same(onDisk(folder, ['bad first', ' later']), [])
})

t.test('an upload that could not be written down leaves no bytes', async t => {
  const { folder, upload } = await house(t)
  await upload('ann', 'a.txt', 'first')
  forbid(folder, 'INSERT ON jobs')
  await t.rejects(upload('ann', 'b.txt', 'unwritten'), /forbidden/)
  t.same(onDisk(folder, ['first', 'unwritten']), ['first'])
})

t.test('a job that could not note the text it made leaves no text', async t => {
  const { folder, becomes, documents } = await house(t)
  forbid(folder, 'UPDATE OF version ON jobs WHEN NEW.version IS NOT NULL')
  const { id, state } = await becomes('text')
  t.equal(state, 'failed')
  t.same(readdirSync(join(folder, 'collections', documents.one('ann', id).collection_id, 'texts')), [])
})

t.test('a text that a job made before it died, and makes otherwise now, is gone', async t => {
  const folder = await dataFolder(t)
  const shelf: Shelf = new Map()
  const plain = plainStages(shelf)
  const reached = Promise.withResolvers<void>()
  const embed = () => {
    reached.resolve()
    return new Promise<never>(() => {})
  }
  const before = await openParts(folder, shelf, { stages: { embed } })
  const { job_id } = await before.upload('ann', 'a.bin', 'text')
  await reached.promise
  before.catalogue.close()
  const extract: Stages['extract'] = async (...args) => ({ ...(await plain.extract(...args)), text: 'read otherwise' })
  const after = await openParts(folder, shelf, { stages: { extract } })
  t.teardown(() => after.stop())
  t.match(await after.ended('ann', job_id), { state: 'ready' })
  t.equal(readdirSync(join(after.originals.directory(after.collections.home('ann').id), 'texts')).length, 1)
})

t.test('a catalogue from before holdings were noted knows them all when it is opened', async t => {
  const folder = await dataFolder(t)
  const old = openDatabase(join(folder, 'catalogue.sqlite'), schemas.slice(0, 4))
  old.run(`INSERT INTO collections (id, owner, name, description, created_at) VALUES ('c', 'ann', 'default', '', 1)`)
  old.run(`INSERT INTO documents (id, collection_id, title, metadata, original, bytes, state, job_id, created_by, created_at, updated_at)
           VALUES ('d', 'c', 'a.txt', '{}', 'last', 7, 'failed', 'j', 'ann', 1, 1)`)
  const version = (name: string, state: string) =>
    old.run(`INSERT INTO versions VALUES ('d', '${name}', 'of-${name}', 'text/plain', '{}', 1, '${state}', 1)`)
  version('kept', 'kept')
  version('gone', 'gone')
  old.run(`INSERT INTO jobs (id, document_id, user_id, original, name, state, created_at, updated_at)
           VALUES ('j', 'd', 'ann', 'of-job', 'a.txt', 'queued', 1, 1)`)
  old.close()
  const { collections, holdings, close } = openCatalogue(folder)
  t.teardown(close)
  t.same(holdings.of('d').toSorted(), ['last', 'of-job', 'of-kept'])
  t.same(holdings.needed('c').toSorted(), ['last', 'of-job', 'of-kept'])
  t.equal(collections.documentsIn('c'), 1)
  t.equal(collections.bytesOf('ann'), 21, 'an older version is taken to be as large as the last')
})
