// Twin of src/rag/store/catalogue.ts: the promises other files lean on.
import { statSync } from 'node:fs'
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import t, { type Test } from 'tap'
import { openCatalogue } from '../../src/rag/store/catalogue.ts'
import { checkpoint } from '../../src/rag/store/database.ts'
import { id } from '../../src/rag/store/tables/collections.ts'

async function catalogueFor(t: Test) {
  const path = await mkdtemp(join(tmpdir(), 'catalogue-'))
  const catalogue = openCatalogue(path)
  t.teardown(async () => {
    catalogue.close()
    await rm(path, { recursive: true })
  })
  const collection = catalogue.collections.insert({ owner: 'ann', name: 'default', description: '' })
  const hold = (document_id: string, original: string) =>
    catalogue.holdings.hold({ document_id, original, collection_id: collection.id, bytes: 1 })
  const document = (original: string, title = original) => {
    const row = {
      id: id(),
      collection_id: collection.id,
      title,
      source: null,
      metadata: '{}',
      original,
      bytes: 1,
      state: 'queued' as const,
      failure: null,
      version: null,
      job_id: id(),
      created_by: 'ann',
      created_at: 1,
      updated_at: 1,
    }
    catalogue.documents.insert(row)
    hold(row.id, original)
    return row
  }
  const version = (document_id: string, name: string, created_at: number) =>
    catalogue.versions.intend({
      document_id,
      version: name,
      original: `o-${name}`,
      media_type: 'text/plain',
      coverage: '{}',
      passages: 1,
      created_at,
    })
  return { path, catalogue, collection, document, version, hold }
}

t.test('a collection is seen by its owner and by whom it was shared with, by nobody else', async t => {
  const { catalogue, collection } = await catalogueFor(t)
  t.equal(catalogue.collections.visible('ann', collection.id)?.access, 'owner')
  t.equal(catalogue.collections.visible('bob', collection.id), undefined)
  catalogue.collections.grant(collection.id, 'bob', 'read')
  t.equal(catalogue.collections.visible('bob', collection.id)?.access, 'read')
  t.same(
    catalogue.collections.allVisible('bob', 10).map(({ id }) => id),
    [collection.id],
  )
  catalogue.collections.revoke(collection.id, 'bob')
  t.equal(catalogue.collections.visible('bob', collection.id), undefined)
  t.same(catalogue.collections.allVisible('bob', 10), [])
})

t.test('a collection being erased is there for nobody and its name is free again', async t => {
  const { catalogue, collection } = await catalogueFor(t)
  catalogue.collections.markErasing(collection.id)
  t.equal(catalogue.collections.visible('ann', collection.id), undefined)
  t.ok(catalogue.collections.insert({ owner: 'ann', name: 'default', description: '' }).id)
})

t.test('the same bytes cannot be two documents of one collection', async t => {
  const { document } = await catalogueFor(t)
  document('same')
  t.throws(() => document('same'), /UNIQUE/)
})

t.test('a collection knows how many documents and bytes are in it, whatever happens to them', async t => {
  const { catalogue, collection, document, hold } = await catalogueFor(t)
  const counted = () => [catalogue.collections.documentsIn(collection.id), catalogue.collections.bytesOf('ann')]
  const [first, second] = [document('a'), document('b')]
  hold(first.id, 'older')
  hold(first.id, 'older')
  t.same(counted(), [2, 3])
  t.throws(() => document('a'), /UNIQUE/)
  catalogue.holdings.letGo(first.id, ['older', 'unknown'])
  t.same(counted(), [2, 2])
  catalogue.documents.markErasing(first.id)
  catalogue.documents.markErasing(first.id)
  t.same(counted(), [1, 2], 'bytes count until their files are gone')
  catalogue.documents.remove(first.id)
  t.same(counted(), [1, 1])
  catalogue.documents.remove(second.id)
  t.same(counted(), [0, 0])
  t.throws(() =>
    catalogue.transaction(() => {
      document('c')
      throw new Error('stop')
    }),
  )
  t.same(counted(), [0, 0])
})

t.test('a transaction that throws leaves nothing', async t => {
  const { catalogue, document, collection } = await catalogueFor(t)
  t.throws(() =>
    catalogue.transaction(() => {
      document('a')
      throw new Error('stop')
    }),
  )
  t.equal(catalogue.documents.byOriginal(collection.id, 'a'), undefined)
})

t.test('what waits for the disk later is done at once, whole or not at all', async t => {
  const { catalogue, document, collection } = await catalogueFor(t)
  const waiting = catalogue.later(() => document('a'))
  t.ok(catalogue.documents.byOriginal(collection.id, 'a'))
  await waiting
  const failing = catalogue.later(() => {
    document('b')
    throw new Error('stop')
  })
  await t.rejects(failing, { message: 'stop' })
  t.equal(catalogue.documents.byOriginal(collection.id, 'b'), undefined)
  await Promise.all(Array.from({ length: 50 }, (_, i) => catalogue.later(() => document(`c${i}`))))
  t.equal(catalogue.collections.documentsIn(collection.id), 51)
})

t.test('the log is emptied by whoever was asked to, and does not grow without end', async t => {
  const { catalogue, document } = await catalogueFor(t)
  let emptied = 0
  catalogue.checkpointed(async () => {
    checkpoint(catalogue.file)
    emptied++
  })
  const commit = async (name: string, count: number) => {
    await Promise.all(Array.from({ length: count }, (_, i) => catalogue.later(() => document(`${name}${i}`))))
    return statSync(`${catalogue.file}-wal`).size
  }
  const once = await commit('a', 240)
  t.equal(emptied, 0)
  const thrice = await commit('b', 480)
  t.equal(emptied, 2)
  t.ok(thrice < 2 * once, `${once} bytes, then ${thrice}`)
})

t.test('a document follows its latest job only', async t => {
  const { catalogue, document } = await catalogueFor(t)
  const { id: one, job_id: first } = document('a')
  catalogue.documents.renew({ id: one, original: 'b', bytes: 2, job_id: 'second', source: null, metadata: '{}' })
  catalogue.documents.follow({ id: one, job_id: first, state: 'ready', failure: null })
  t.equal(catalogue.documents.byId(one)?.state, 'queued')
  catalogue.documents.follow({ id: one, job_id: 'second', state: 'ready', failure: null })
  t.equal(catalogue.documents.byId(one)?.state, 'ready')
})

t.test('old versions are let go, the visible one never, and what is let go is needed no longer', async t => {
  const { catalogue, collection, document, version, hold } = await catalogueFor(t)
  const { id: one } = document('a')
  for (const [at, name] of ['v1', 'v2', 'v3', 'v4'].entries()) {
    hold(one, `o-${name}`)
    version(one, name, at)
    catalogue.versions.keep(one, name)
  }
  catalogue.documents.show(one, 'v1')
  t.same(
    catalogue.versions
      .prune(one, 'v1', 2)
      .map(gone => gone.version)
      .toSorted(),
    ['v2', 'v3'],
  )
  t.same(catalogue.versions.texts(collection.id).toSorted(), ['v1', 'v4'])
  t.ok(catalogue.versions.needsText(collection.id, 'v1'))
  t.notOk(catalogue.versions.needsText(collection.id, 'v2'))
  t.same(catalogue.holdings.spare(one).toSorted(), ['o-v2', 'o-v3'])
  t.same(catalogue.holdings.needed(collection.id).toSorted(), ['a', 'o-v1', 'o-v4'])
  t.equal(catalogue.versions.one(one, 'v2')?.state, 'gone')
})

t.test('of versions let go a thousand are remembered, the newest', async t => {
  const { catalogue, document, version } = await catalogueFor(t)
  const { id: one } = document('a')
  catalogue.transaction(() => {
    for (let at = 0; at < 1010; at++) {
      version(one, `v${at}`, at)
      catalogue.versions.keep(one, `v${at}`)
    }
  })
  t.equal(catalogue.versions.prune(one, 'v1009', 2).length, 1008)
  const states = ['v1009', 'v1008', 'v1007', 'v8', 'v7'].map(name => catalogue.versions.one(one, name)?.state)
  t.same(states, ['kept', 'kept', 'gone', 'gone', undefined])
  t.same(
    catalogue.versions.kept(one).map(row => row.version),
    ['v1009', 'v1008'],
  )
})

t.test('the receipt of an erasure is kept for ninety days, what is not finished until it is', async t => {
  const { erasures } = (await catalogueFor(t)).catalogue
  const daysAgo = (days: number) => (Date.now() - days * 24 * 3600 * 1000).toString(16).padStart(12, '0').padEnd(32, 'f')
  const insert = (receipt: string, user_id = 'ann') =>
    erasures.insert({ id: receipt, user_id, collection_id: 'c', document_id: 'd', versions: '[]' })
  const [old, unfinished, recent] = [daysAgo(92), daysAgo(91), daysAgo(89)]
  for (const receipt of [old, unfinished, recent]) insert(receipt)
  for (const receipt of [old, recent]) erasures.announced(receipt, '1-0')
  const fresh = id()
  insert(fresh, 'bob')
  const left = () => [old, unfinished, recent, fresh].map(receipt => erasures.byId(receipt) !== undefined)
  t.same(left(), [false, true, true, true])
  erasures.announced(fresh, '2-0')
  erasures.forget('ann')
  t.same(left(), [false, true, false, true], 'with their user the receipts go')
})

t.test('an unfinished job keeps its original needed after a later upload took its place', async t => {
  const { catalogue, collection, document, hold } = await catalogueFor(t)
  const { id: one, job_id } = document('first')
  catalogue.jobs.insert({ id: job_id, document_id: one, user_id: 'ann', original: 'first', name: 'a.txt' })
  catalogue.documents.renew({ id: one, original: 'second', bytes: 1, job_id: 'j2', source: null, metadata: '{}' })
  hold(one, 'second')
  t.same(catalogue.holdings.spare(one), [])
  catalogue.jobs.advance({ id: job_id, state: 'failed', done: 0, total: null, failure: '{}' })
  t.same(catalogue.holdings.spare(one), ['first'])
  t.same(catalogue.holdings.needed(collection.id), ['second'])
})

t.test('a file written by a newer program is refused, not guessed at', async t => {
  const { path, catalogue } = await catalogueFor(t)
  const { DatabaseSync } = await import('node:sqlite')
  const raw = new DatabaseSync(join(path, 'catalogue.sqlite'))
  raw.exec('PRAGMA user_version = 99')
  raw.close()
  t.throws(() => openCatalogue(path), /newer version/)
  t.ok(catalogue)
})
