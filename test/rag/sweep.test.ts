// Twin of src/rag/sweep.ts: what a process that died left without an owner is gone after the next start, and nothing else is.
import { mkdirSync, writeFileSync } from 'node:fs'
import { readdir } from 'node:fs/promises'
import { join } from 'node:path'
import t from 'tap'
import { sweep } from '../../src/rag/sweep.ts'
import { dataFolder, openParts, partsFor, type Shelf } from './parts.ts'

t.test('files, passages and folders that nobody owns go at the next start, and what is owned stays', async t => {
  const folder = await dataFolder(t)
  const shelf: Shelf = new Map()
  const before = await openParts(folder, shelf)
  const { id, job_id } = await before.upload('ann', 'a.txt', 'one\ntwo')
  await before.ended('ann', job_id)
  const { collection_id } = before.documents.one('ann', id)
  const home = before.originals.directory(collection_id)
  const owned = await Promise.all(['originals', 'texts'].map(kind => readdir(join(home, kind))))
  await before.stop()

  for (const kind of ['originals', 'texts']) writeFileSync(join(home, kind, 'f'.repeat(64)), 'left over')
  const stranger = before.originals.directory('0'.repeat(32))
  mkdirSync(stranger, { recursive: true })
  writeFileSync(join(stranger, 'passages.sqlite'), 'left over')
  shelf.get(id)?.passages.set('half-made', ['left over'])

  const after = await openParts(folder, shelf)
  t.teardown(() => after.stop())
  t.same(await Promise.all(['originals', 'texts'].map(kind => readdir(join(home, kind)))), owned)
  t.same([...(shelf.get(id)?.passages.values() ?? [])], [['one', 'two']])
  t.same(await readdir(join(folder, 'collections')), [collection_id])
})

t.test('a collection that cannot be swept does not keep the others from it', async t => {
  const folder = await dataFolder(t)
  const shelf: Shelf = new Map()
  const before = await openParts(folder, shelf)
  const homes: string[] = []
  for (const user of ['ann', 'bob']) {
    const { id, job_id } = await before.upload(user, 'a.txt', 'text')
    await before.ended(user, job_id)
    homes.push(before.originals.directory(before.documents.one(user, id).collection_id))
  }
  await before.stop()
  for (const home of homes) writeFileSync(join(home, 'texts', 'f'.repeat(64)), 'left over')
  const told: object[] = []
  const after = await openParts(folder, shelf, {
    log: { info: () => {}, error: context => void told.push(context) },
    stages: {
      write: {
        async audit(dir) {
          if (dir === homes[0]) throw new Error('It cannot be read')
          return undefined
        },
      },
    },
  })
  t.teardown(() => after.stop())
  const left = await Promise.all(homes.map(async home => (await readdir(join(home, 'texts'))).length))
  t.same(left, [2, 1])
  t.match(told, [{ err: { message: 'It cannot be read' } }])
})

t.test('while nothing may be written a sweep waits, and nobody waits for the sweep', async t => {
  const parts = await partsFor(t)
  const { id } = await parts.upload('ann', 'a.txt', 'text')
  const { collection_id } = parts.documents.one('ann', id)
  const { catalogue, originals, exclusive } = parts
  for (const held of ['mend', 'sweep']) {
    const [reached, released] = [Promise.withResolvers<void>(), Promise.withResolvers<void>()]
    const work = async (name: string) => {
      if (name !== held) return 0
      reached.resolve()
      await released.promise
      return 0
    }
    const mend = async () => void (await work('mend'))
    const log = { error: () => {} }
    const sweeping = sweep({ catalogue, originals, exclusive, mend, log, write: { sweep: () => work('sweep') } })
    await reached.promise
    const { status } = await parts.upload('ann', `${held}.txt`, `uploaded during ${held}`)
    t.equal(status, 202)
    released.resolve()
    await sweeping
  }
  t.match(await parts.erasures.document('ann', collection_id, id), { erased: { originals: 1 } })
})
