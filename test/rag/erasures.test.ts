// Twin of src/rag/erasures.ts: what is erased is gone everywhere, and an erasure that was begun ends.
import { readdir, readFile } from 'node:fs/promises'
import { join } from 'node:path'
import t from 'tap'
import { dataFolder, openParts, partsFor, plainStages, type Shelf } from './parts.ts'

t.test('an erased document leaves rows, passages, texts and originals, and the receipt counts them', async t => {
  const { upload, ended, documents, erasures, shelf, catalogue, originals, announced } = await partsFor(t)
  const first = await upload('ann', 'a.txt', 'one\ntwo')
  await ended('ann', first.job_id)
  const second = await upload('ann', 'a.txt', 'three')
  await ended('ann', second.job_id)
  const { collection_id, versions } = documents.one('ann', first.id)

  const receipt = await erasures.document('ann', collection_id, first.id)
  t.match(receipt, {
    document_id: first.id,
    erased: { passages: 1, versions: 2, texts: 2, originals: 2, jobs: 2 },
    pending: true,
    waiting_for: ['agent'],
  })
  t.throws(() => documents.one('ann', first.id), { code: 'not_found' })
  t.throws(() => documents.job('ann', first.job_id), { code: 'not_found' })
  t.equal(shelf.size, 0)
  t.same(await readdir(join(originals.directory(collection_id), 'texts')), [])
  t.same(await readdir(join(originals.directory(collection_id), 'originals')), [])
  t.equal(catalogue.documents.holds(collection_id), false)
  t.match(announced, [{ user: 'ann', document: first.id, versions: versions.map(({ version }) => version) }])
  await t.rejects(erasures.document('ann', collection_id, first.id), { code: 'not_found' })
  t.same(await erasures.receipt('ann', receipt.receipt_id), receipt)
  await t.rejects(erasures.receipt('bob', receipt.receipt_id), { code: 'not_found' })
})

t.test('what another document still needs stays', async t => {
  const { upload, ended, documents, erasures } = await partsFor(t)
  const one = await upload('ann', 'a.txt', 'text')
  // Other bytes, same canonical text.
  const other = await upload('ann', 'b.txt', 'text\n')
  await ended('ann', one.job_id)
  await ended('ann', other.job_id)
  t.equal(documents.text('ann', one.id).path, documents.text('ann', other.id).path)
  const receipt = await erasures.document('ann', documents.one('ann', one.id).collection_id, one.id)
  t.match(receipt.erased, { originals: 1, texts: 0 })
  t.equal(await readFile(documents.text('ann', other.id).path, 'utf8'), 'text')
  t.equal(await readFile(documents.content('ann', other.id).path, 'utf8'), 'text\n')
})

t.test('bytes that are erased and uploaded again at the same moment are there for who has them', async t => {
  const { upload, ended, documents, erasures } = await partsFor(t)
  for (let round = 0; round < 20; round++) {
    const { id, job_id } = await upload('ann', 'a.txt', 'text')
    await ended('ann', job_id)
    const { collection_id } = documents.one('ann', id)
    const [, again] = await Promise.all([erasures.document('ann', collection_id, id), upload('ann', 'a.txt', 'text')])
    if (again.status === 200) continue
    t.match(await ended('ann', again.job_id), { state: 'ready' })
    t.equal(await readFile(documents.content('ann', again.id).path, 'utf8'), 'text')
    await erasures.document('ann', collection_id, again.id)
  }
})

t.test('erasing a document whose job is under way stops the job first', async t => {
  let stopped = false
  let begin = () => {}
  const begun = new Promise<void>(resolve => (begin = resolve))
  const { upload, documents, erasures, queue, catalogue } = await partsFor(t, {
    stages: {
      extract: (_file, signal) =>
        new Promise((_, reject) => {
          begin()
          signal.addEventListener('abort', () => {
            stopped = true
            reject(signal.reason)
          })
        }),
    },
  })
  const { id, job_id } = await upload('ann', 'a.txt', 'text')
  await begun
  t.ok(queue.progress(job_id))
  const receipt = await erasures.document('ann', documents.one('ann', id).collection_id, id)
  t.ok(stopped)
  t.match(receipt.erased, { jobs: 1, passages: 0, originals: 1 })
  t.equal(queue.progress(job_id), undefined)
  t.same(catalogue.jobs.unfinished(), [])
})

t.test('a document is erased in every state it can be in, and nothing of it is left', async t => {
  const plain = plainStages(new Map())
  const hang = (_: unknown, signal: AbortSignal) =>
    new Promise<never>((_resolve, reject) => signal.addEventListener('abort', () => reject(signal.reason)))
  let release = () => {}
  const released = new Promise<void>(resolve => (release = resolve))
  const { upload, ended, documents, erasures, catalogue, originals, shelf } = await partsFor(t, {
    stages: {
      extract: (file, signal) => (file.name.startsWith('hang') ? hang(file, signal) : plain.extract(file, signal)),
      async embed(texts) {
        if (texts.includes('slow')) await released
        return plain.embed(texts)
      },
    },
  })
  const ready = await upload('ann', 'ready.txt', 'text')
  await ended('ann', ready.job_id)
  const failed = await upload('ann', 'failed.txt', '\n\n')
  await ended('ann', failed.job_id)
  const embedding = await upload('ann', 'embedding.txt', 'slow')
  while (documents.job('ann', embedding.job_id).state !== 'embedding') await new Promise(setImmediate)
  const extracting = await upload('ann', 'hang1.txt', '1')
  // Two readers at once: the third of these waits for its turn, the others for a place among what runs.
  const waiting = await Promise.all(['2', '3', '4', '5', '6', '7', '8', '9'].map(n => upload('ann', `hang${n}.txt`, n)))
  const all = [ready, failed, embedding, extracting, ...waiting]
  const states = all.map(({ id }) => documents.one('ann', id).state)
  t.same([...new Set(states)].toSorted(), ['embedding', 'extracting', 'failed', 'queued', 'ready'])
  const { collection_id } = documents.one('ann', ready.id)
  const receipts = all.map(({ id }) => erasures.document('ann', collection_id, id))
  release()
  await Promise.all(receipts)
  for (const { id } of all) t.throws(() => documents.one('ann', id), { code: 'not_found' })
  t.equal(shelf.size, 0)
  t.equal(catalogue.documents.holds(collection_id), false)
  t.same(catalogue.jobs.unfinished(), [])
  for (const kind of ['originals', 'texts']) t.same(await readdir(join(originals.directory(collection_id), kind)), [], kind)
})

t.test('while the stream is away the document is gone, the receipt waits, and the next start tells', async t => {
  const folder = await dataFolder(t)
  const shelf: Shelf = new Map()
  const before = await openParts(folder, shelf, { announce: () => Promise.reject(new Error('Redis is away')) })
  const { id, job_id } = await before.upload('ann', 'a.txt', 'text')
  await before.ended('ann', job_id)
  const receipt = await before.erasures.document('ann', before.documents.one('ann', id).collection_id, id)
  t.match(receipt, { pending: true, waiting_for: ['rag'], erased: { passages: 1 } })
  t.throws(() => before.documents.one('ann', id), { code: 'not_found' })
  await before.stop()

  const after = await openParts(folder, shelf)
  t.teardown(() => after.stop())
  await after.resumed
  t.match(after.announced, [{ user: 'ann', document: id }])
  t.match(await after.erasures.receipt('ann', receipt.receipt_id), { waiting_for: ['agent'], erased: { passages: 1 } })
})

t.test('killed while the passages go, the document stays away and the next start finishes', async t => {
  const folder = await dataFolder(t)
  const shelf: Shelf = new Map()
  const { write } = plainStages(shelf)
  let reach = () => {}
  const reached = new Promise<void>(resolve => (reach = resolve))
  const remove = () => {
    reach()
    return new Promise<never>(() => {})
  }
  const dying = { write: { ...write, remove } }
  const before = await openParts(folder, shelf, { stages: dying })
  const { id, job_id } = await before.upload('ann', 'a.txt', 'text')
  await before.ended('ann', job_id)
  const { collection_id } = before.documents.one('ann', id)
  void before.erasures.document('ann', collection_id, id).catch(() => {})
  await reached
  t.throws(() => before.documents.one('ann', id), { code: 'not_found' })
  before.catalogue.close()

  const after = await openParts(folder, shelf)
  t.teardown(() => after.stop())
  await after.resumed
  t.equal(shelf.size, 0)
  t.equal(after.catalogue.documents.holds(collection_id), false)
  t.equal(after.announced.length, 1)
})

t.test('a collection goes with everything in it, also for those it was shared with; the default one stays', async t => {
  const parts = await partsFor(t)
  const { id } = parts.collections.create('ann', { name: 'shared' })
  parts.collections.grant('ann', id, 'bob', 'write')
  const upload = (text: string) => parts.upload('bob', `${text}.txt`, text, { collection_id: id })
  const entries = await Promise.all(['1', '2', '3'].map(upload))
  for (const { job_id } of entries) await parts.ended('bob', job_id)
  t.throws(() => parts.collections.erasable('bob', id), { code: 'forbidden' })
  t.throws(() => parts.collections.erasable('ann', parts.collections.home('ann').id), { code: 'conflict' })

  t.same(await parts.erasures.collection(parts.collections.erasable('ann', id).id), { documents: 3, pending: false })
  t.throws(() => parts.collections.readable('ann', id), { code: 'not_found' })
  for (const entry of entries) t.throws(() => parts.documents.one('bob', entry.id), { code: 'not_found' })
  t.notOk((await parts.originals.collections()).includes(id))
  t.equal(parts.announced.length, 3)
})

t.test("a user's erasure takes her collections and grants, and nobody else's", async t => {
  const parts = await partsFor(t)
  const { id: shared } = parts.collections.create('bob', { name: 'shared' })
  parts.collections.grant('bob', shared, 'ann', 'write')
  const own = await parts.upload('ann', 'a.txt', 'mine', { key: 'k' })
  const theirs = await parts.upload('ann', 'b.txt', 'ours', { collection_id: shared })
  await parts.ended('ann', own.job_id)
  await parts.ended('ann', theirs.job_id)
  const brief = await parts.upload('ann', 'c.txt', 'brief')
  await parts.ended('ann', brief.job_id)
  const { receipt_id } = await parts.erasures.document('ann', parts.documents.one('ann', brief.id).collection_id, brief.id)
  await parts.erasures.user('ann')
  t.same(parts.catalogue.collections.owned('ann'), [])
  t.throws(() => parts.collections.readable('ann', shared), { code: 'not_found' })
  t.match(parts.documents.one('bob', theirs.id), { state: 'ready' })
  await t.rejects(parts.erasures.receipt('ann', receipt_id), { code: 'not_found' })
  t.equal(parts.catalogue.idempotency.find('ann', 'POST /documents', 'k'), undefined)
  t.equal((await parts.upload('ann', 'a.txt', 'mine')).status, 202, 'what she uploads later is new')
})

/** Passages that go only when they are let; `reached` resolves when somebody removes some. */
function heldUp(shelf: Shelf) {
  const { write } = plainStages(shelf)
  const reached = Promise.withResolvers<void>()
  const released = Promise.withResolvers<void>()
  const remove = (async (dir: string, document: string) => {
    reached.resolve()
    await released.promise
    return write.remove(dir, document)
  }) as typeof write.remove
  return { stages: { write: { remove } }, reached: reached.promise, release: released.resolve }
}

t.test('while nothing may be written an erasure is answered as pending, and goes on by itself', async t => {
  const { stages, release } = heldUp(new Map())
  const { upload, ended, documents, erasures, catalogue } = await partsFor(t, { stages })
  const { id, job_id } = await upload('ann', 'a.txt', 'text')
  await ended('ann', job_id)
  const receipt = await erasures.document('ann', documents.one('ann', id).collection_id, id)
  t.match(receipt, { pending: true, waiting_for: ['rag'], erased: { passages: 0, originals: 0 } })
  t.throws(() => documents.one('ann', id), { code: 'not_found' })
  release()
  while (catalogue.erasures.unfinished().length > 0) await new Promise(setImmediate)
  t.match(await erasures.receipt('ann', receipt.receipt_id), { waiting_for: ['agent'], erased: { originals: 1 } })
})

t.test('what was taken up at the start is brought to an end before the catalogue closes', async t => {
  const folder = await dataFolder(t)
  const shelf: Shelf = new Map()
  const dying = heldUp(shelf)
  const before = await openParts(folder, shelf, dying)
  const [one, two] = [await before.upload('ann', 'a.txt', 'one'), await before.upload('ann', 'b.txt', 'two')]
  for (const { job_id } of [one, two]) await before.ended('ann', job_id)
  const { collection_id } = before.documents.one('ann', one.id)
  for (const { id } of [one, two]) void before.erasures.document('ann', collection_id, id).catch(() => {})
  await dying.reached
  before.catalogue.close()

  const slow = heldUp(shelf)
  const during = await openParts(folder, shelf, slow)
  await slow.reached
  const stopped = during.stop()
  slow.release()
  await t.resolves(during.resumed)
  await stopped
  const after = await openParts(folder, shelf)
  t.teardown(() => after.stop())
  await after.resumed
  t.equal(shelf.size, 0)
  t.equal(after.announced.length, 1, 'the other one was left to the next start')
})
