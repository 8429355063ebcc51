// Twin of src/rag/snapshots.ts: there is always a whole snapshot once there was one, whatever happens while the next is made.
import { copyFileSync, existsSync, readdirSync, readFileSync, renameSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import t, { type Test } from 'tap'
import { openSnapshots } from '../../src/rag/snapshots.ts'
import { dataFolder, openParts } from './parts.ts'

/** What happens before and after a file is copied. */
type Meanwhile = { before?: (from: string) => Promise<void>; after?: (from: string) => Promise<void> }

/** Two collections with a document each, and the means to make snapshots in which something happens at every copy. */
async function house(t: Test) {
  const folder = await dataFolder(t)
  const parts = await openParts(folder, new Map())
  t.teardown(() => parts.stop())
  for (const user of ['ann', 'bob']) {
    const { job_id } = await parts.upload(user, 'a.txt', `text of ${user}`)
    await parts.ended(user, job_id)
  }
  let meanwhile: Meanwhile = {}
  const snapshots = openSnapshots({
    originals: parts.originals,
    dataDir: folder,
    log: { error: () => {} },
    still: work =>
      work(async (from, to) => {
        await meanwhile.before?.(from)
        copyFileSync(from, to)
        await meanwhile.after?.(from)
      }),
  })
  return {
    ...parts,
    folder,
    /** Makes one; gives how it ended and what lies in the folder of snapshots then. */
    async made(happens: Meanwhile = {}) {
      meanwhile = happens
      const view = snapshots.start()
      await snapshots.close()
      return { ...view, there: readdirSync(join(folder, 'snapshots')) }
    },
  }
}

t.test('one that fails leaves the one before, and nothing of itself; one that is made takes its place', async t => {
  const { folder, made } = await house(t)
  const first = await made()
  t.match(first, { state: 'ready', there: [first.id] })
  const second = await made({
    async after() {
      t.ok(existsSync(join(folder, first.folder, 'catalogue.sqlite')), 'the one before is there until the next is whole')
      throw new Error('The disk is full')
    },
  })
  t.match(second, { state: 'failed', there: [first.id] })
  const third = await made()
  t.match(third, { state: 'ready', there: [third.id] })
})

t.test('a collection that goes while one is made is left out of it', async t => {
  const { originals, folder, made } = await house(t)
  const [first = '', second = ''] = await originals.collections()
  copyFileSync(join(folder, 'catalogue.sqlite'), join(originals.directory(first), 'passages.sqlite'))
  copyFileSync(join(folder, 'catalogue.sqlite'), join(originals.directory(second), 'passages.sqlite'))
  const made1 = await made({ before: () => originals.removeCollection(second) })
  t.match(made1, { state: 'ready', there: [made1.id] })
  const going = async (from: string) => {
    if (from.includes(first)) await originals.removeCollection(first)
  }
  t.match(await made({ before: going }), { state: 'ready' }, 'also in the moment of its copy')
})

t.test('an original that is needed when the catalogue is copied is in it, though it goes before the end', async t => {
  const { folder, upload, ended, documents, made } = await house(t)
  const { id, job_id } = await upload('ann', 'blank.txt', '\n')
  t.match(await ended('ann', job_id), { state: 'failed' })
  const { etag } = documents.content('ann', id)
  const { collection_id } = documents.one('ann', id)
  const snapshot = await made({
    async after(from) {
      if (!from.endsWith('catalogue.sqlite')) return
      const again = await upload('ann', 'blank.txt', '\n\n')
      await ended('ann', again.job_id)
    },
  })
  t.not(documents.content('ann', id).etag, etag)
  const kept = join(folder, snapshot.folder, 'collections', collection_id, 'originals')
  t.equal(readFileSync(join(kept, etag), 'utf8'), '\n')
  t.equal(readdirSync(kept).length, 3)
})

t.test('the original of somebody whose first upload comes while one is made is in it', async t => {
  const { folder, upload, originals, made } = await house(t)
  let id = ''
  const snapshot = await made({
    async before(from) {
      if (from.endsWith('catalogue.sqlite')) id = (await upload('cyd', 'c.txt', 'text of cyd')).id
    },
  })
  t.equal(snapshot.state, 'ready')
  const [name = ''] = (await originals.collections()).toSorted().slice(-1)
  const kept = join(folder, snapshot.folder, 'collections', name, 'originals')
  t.ok(id)
  t.equal(readdirSync(kept).length, 1)
})

t.test('one that cannot read a folder fails, and the one before stays', async t => {
  const { originals, made } = await house(t)
  const first = await made()
  const [collection = ''] = await originals.collections()
  const path = join(originals.directory(collection), 'originals')
  renameSync(path, `${path}-away`)
  writeFileSync(path, 'no folder')
  t.match(await made(), { state: 'failed', there: [first.id] })
})
