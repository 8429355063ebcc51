// The pipeline from upload to visible, and what becomes of it when a stage fails (ingest.ts, queue.ts).
import { readdir } from 'node:fs/promises'
import { join } from 'node:path'
import { DatabaseSync } from 'node:sqlite'
import t from 'tap'
import { failure } from '../../src/platform/errors.ts'
import type { Stages } from '../../src/rag/ingest.ts'
import { dataFolder, openParts, partsFor, plainStages, type Shelf } from './parts.ts'

/** An extraction that ends only when it is told to. */
const hanging: Stages['extract'] = (_file, signal) =>
  new Promise((_, reject) => signal.addEventListener('abort', () => reject(signal.reason)))

/** More than one batch of passages. */
const seventy = Array.from({ length: 70 }, (_, i) => `passage ${i}`).join('\n')

t.test('a text becomes a ready document whose passages are shown once', async t => {
  const { upload, ended, documents, shelf } = await partsFor(t)
  const { id, job_id, status, state } = await upload('ann', 'a.txt', 'one\ntwo words')
  t.equal(status, 202)
  t.equal(state, 'queued')
  t.match(await ended('ann', job_id), { state: 'ready', done: 2, total: 2, attempts: 1 })
  const document = documents.one('ann', id)
  t.match(document, {
    state: 'ready',
    title: 'a.txt',
    passages: 2,
    media_type: 'text/plain',
    coverage: { truncated_tokens: 0, passages: 2, tokens: { total: 3, largest: 2 } },
  })
  t.equal(shelf.get(id)?.shown, document.version)
})

t.test('a passage longer than the model reads is never shown with a part of it unread', async t => {
  const { upload, ended, shelf } = await partsFor(t)
  const { id, job_id } = await upload('ann', 'a.txt', `short\n${'word '.repeat(11)}`)
  t.match(await ended('ann', job_id), { state: 'failed', failure: { code: 'internal' } })
  t.equal(shelf.get(id)?.shown, undefined)
})

t.test('a replacement is shown when it is ready, the old text can still be read, the oldest is let go', async t => {
  const { upload, ended, documents, catalogue, originals, shelf } = await partsFor(t, { versionsKept: 2 })
  const versions: string[] = []
  let id = ''
  for (const text of ['first', 'second', 'third']) {
    const entry = await upload('ann', 'a.txt', text)
    await ended('ann', entry.job_id)
    id = entry.id
    versions.push(documents.one('ann', id).version ?? '')
  }
  t.equal(shelf.size, 1, 'one document')
  t.equal(shelf.get(id)?.shown, versions[2])
  t.match(documents.text('ann', id, versions[1]), { etag: versions[1] })
  t.throws(() => documents.text('ann', id, versions[0]), { code: 'gone' })
  t.throws(() => documents.text('ann', id, 'f'.repeat(64)), { code: 'not_found' })
  const { collection_id } = documents.one('ann', id)
  t.same((await readdir(join(originals.directory(collection_id), 'texts'))).toSorted(), versions.slice(1).toSorted())
  t.equal((await readdir(join(originals.directory(collection_id), 'originals'))).length, 2)
  t.equal(catalogue.versions.one(id, versions[0] ?? '')?.state, 'gone')
})

t.test('a replacement that fails leaves the old version shown', async t => {
  let broken = false
  const shelf: Shelf = new Map()
  const plain = plainStages(shelf)
  const { upload, ended, documents } = await partsFor(t, {
    stages: { extract: (file, signal) => (broken ? Promise.reject(failure('damaged')) : plain.extract(file, signal)) },
  })
  const first = await upload('ann', 'a.txt', 'good')
  await ended('ann', first.job_id)
  broken = true
  const second = await upload('ann', 'a.txt', 'bad')
  t.equal(second.id, first.id)
  t.match(await ended('ann', second.job_id), { state: 'failed', failure: { code: 'damaged' } })
  const document = documents.one('ann', first.id)
  t.match(document, { state: 'failed', failure: { code: 'damaged' }, passages: 1 })
  t.match(documents.text('ann', first.id), { etag: document.version })
})

t.test('a file without passages fails with no_text, and the jobs after it go on', async t => {
  const { upload, ended, documents } = await partsFor(t)
  const empty = await upload('ann', 'a.txt', '\n\n')
  const good = await upload('ann', 'b.txt', 'text')
  t.match(await ended('ann', empty.job_id), { state: 'failed', failure: { code: 'no_text' } })
  t.match(await ended('ann', good.job_id), { state: 'ready' })
  t.match(documents.one('ann', empty.id), { state: 'failed', version: null, versions: [] })
  t.throws(() => documents.text('ann', empty.id), { code: 'conflict' })
})

t.test('a failed document is tried again on request, and only then', async t => {
  let broken = true
  const plain = plainStages(new Map())
  const { upload, ended, documents } = await partsFor(t, {
    stages: { extract: (file, signal) => (broken ? Promise.reject(failure('timeout')) : plain.extract(file, signal)) },
  })
  const { id, job_id } = await upload('ann', 'a.txt', 'text')
  await ended('ann', job_id)
  broken = false
  const again = documents.retry('ann', id)
  t.not(again.job_id, job_id)
  t.match(await ended('ann', again.job_id), { state: 'ready' })
  t.throws(() => documents.retry('ann', id), { code: 'conflict' })
})

t.test('why a document was given up is in the log for the operator, with the cause its owner is not told', async t => {
  const told: object[] = []
  const { upload, ended } = await partsFor(t, {
    log: { info: context => void told.push(context), error: () => {} },
    stages: { extract: () => Promise.reject(failure('damaged', undefined, { cause: 'the xref table points nowhere' })) },
  })
  const { job_id } = await upload('ann', 'a.txt', 'text')
  const job = await ended('ann', job_id)
  t.match(told, [{ job_id, code: 'damaged', cause: 'the xref table points nowhere' }])
  t.notMatch(JSON.stringify(job), 'xref')
})

t.test('an unexpected error is tried again, then given up without its words', async t => {
  let tries = 0
  const { upload, ended } = await partsFor(t, {
    stages: {
      chunk: async () => {
        tries++
        throw new Error('secret detail')
      },
    },
  })
  const { job_id } = await upload('ann', 'a.txt', 'text')
  const job = await ended('ann', job_id)
  t.match(job, { state: 'failed', failure: { code: 'internal' } })
  t.notMatch(JSON.stringify(job), 'secret detail')
  t.equal(tries, 3)
})

t.test('a cancelled job is failed as cancelled and leaves no passages and no text', async t => {
  let reach = () => {}
  let release = () => {}
  const reached = new Promise<void>(resolve => (reach = resolve))
  const released = new Promise<void>(resolve => (release = resolve))
  const { embed } = plainStages(new Map())
  let batches = 0
  const { upload, ended, documents, shelf, originals } = await partsFor(t, {
    stages: {
      async embed(texts) {
        if (++batches > 1) {
          reach()
          await released
        }
        return embed(texts)
      },
    },
  })
  const { id, job_id } = await upload('ann', 'a.txt', seventy)
  await reached
  t.equal(shelf.get(id)?.passages.size, 1, 'the first batch has been appended')
  const cancelled = documents.cancel('ann', job_id)
  release()
  await cancelled
  t.match(await ended('ann', job_id), { state: 'failed', failure: { code: 'cancelled' } })
  t.equal(shelf.get(id)?.passages.size, 0)
  t.same(await readdir(join(originals.directory(documents.one('ann', id).collection_id), 'texts')), [])
  await t.rejects(documents.cancel('ann', job_id), { code: 'conflict' })
})

t.test('a waiting job can be cancelled', async t => {
  const { upload, ended, documents } = await partsFor(t, { stages: { extract: hanging } })
  const jobs = []
  for (const text of ['a', 'b', 'c', 'd', 'e', 'f', 'g', 'h', 'i']) jobs.push(await upload('ann', text, text))
  const last = jobs.at(-1)?.job_id ?? ''
  t.match(documents.job('ann', last), { state: 'queued' })
  await documents.cancel('ann', last)
  t.match(await ended('ann', last), { state: 'failed', failure: { code: 'cancelled' } })
})

t.test('a cancellation that cannot be written down changes nothing: the job runs when its turn comes', async t => {
  const folder = await dataFolder(t)
  let begin = () => {}
  const begun = new Promise<void>(resolve => (begin = resolve))
  const plain = plainStages(new Map())
  const parts = await openParts(folder, new Map(), {
    stages: {
      async extract(file, signal) {
        await begun
        return plain.extract(file, signal)
      },
    },
  })
  t.teardown(() => parts.stop())
  const jobs = []
  for (const text of ['a', 'b', 'c', 'd', 'e', 'f', 'g', 'h', 'i']) jobs.push(await parts.upload('ann', text, text))
  const last = jobs.at(-1)?.job_id ?? ''
  const raw = new DatabaseSync(join(folder, 'catalogue.sqlite'))
  raw.exec(`CREATE TRIGGER forbidden BEFORE UPDATE ON jobs WHEN NEW.state = 'failed' BEGIN SELECT RAISE(ABORT, 'forbidden'); END`)
  await t.rejects(parts.documents.cancel('ann', last), /forbidden/)
  raw.exec('DROP TRIGGER forbidden')
  raw.close()
  begin()
  t.match(await parts.ended('ann', last), { state: 'ready' })
})

t.test('jobs of one document run one after the other, in the order they came', async t => {
  const plain = plainStages(new Map())
  const underWay = new Set<string>()
  const order: string[] = []
  let release = () => {}
  const released = new Promise<void>(resolve => (release = resolve))
  const { upload, ended, documents, originals } = await partsFor(t, {
    versionsKept: 5,
    stages: {
      async extract(file, signal) {
        underWay.add(file.path)
        await released
        t.equal(underWay.size, 1)
        for (let turn = 0; turn < 20; turn++) await new Promise(setImmediate)
        const extracted = await plain.extract(file, signal)
        order.push(extracted.text)
        underWay.delete(file.path)
        return extracted
      },
    },
  })
  const entries = []
  for (const text of ['1', '2', '3']) entries.push(await upload('ann', 'a.txt', text))
  release()
  for (const { job_id } of entries) t.match(await ended('ann', job_id), { state: 'ready' })
  const { id = '' } = entries[0] ?? {}
  t.same(order, ['1', '2', '3'])
  t.same(new Set(entries.map(entry => entry.id)).size, 1)
  t.equal(documents.one('ann', id).versions.length, 3)
  t.equal(
    documents.content('ann', id).path,
    originals.original(documents.one('ann', id).collection_id, documents.content('ann', id).etag),
  )
  t.equal(documents.text('ann', id).etag, documents.one('ann', id).versions.find(({ visible }) => visible)?.version)
})

t.test('a full queue says unavailable with a time, and stores nothing', async t => {
  const { upload, catalogue, collections } = await partsFor(t, { waitingMax: 4, stages: { extract: hanging } })
  // Eight of a user run at once; two more may wait, since one user may fill half of the queue.
  for (let n = 1; n <= 10; n++) await upload('ann', `${n}`, `${n}`)
  await t.rejects(upload('ann', '11', '11'), { code: 'unavailable', extras: { headers: { 'retry-after': 30 } } })
  t.equal(catalogue.collections.documentsIn(collections.home('ann').id), 10)
  await t.resolves(upload('bob', '11', '11'), 'another user still finds room')
})

t.test('users are served in a circle: one with a single job waits for no more than one of somebody with many', async t => {
  const { upload, documents } = await partsFor(t, { stages: { extract: hanging } })
  const jobs: string[] = []
  for (const user of ['ann', 'bob']) for (let n = 0; n < 12; n++) jobs.push((await upload(user, `${n}`, `${n}`)).job_id)
  const { job_id } = await upload('cyril', '1', '1')
  t.equal(documents.job('cyril', job_id).state, 'queued', 'every place is taken')
  for (const job of jobs.slice(0, 2)) await documents.cancel('ann', job)
  t.equal(documents.job('cyril', job_id).state, 'extracting')
})
