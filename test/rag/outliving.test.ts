// What must not outlive its owner or come back: an erasure beside another, an upload of somebody who has gone meanwhile, what a snapshot
// brings back, and a data folder without its catalogue.
import { existsSync } from 'node:fs'
import { readdir } from 'node:fs/promises'
import { join } from 'node:path'
import t from 'tap'
import { openCatalogue } from '../../src/rag/store/catalogue.ts'
import { removeDatabase } from '../../src/rag/store/database.ts'
import { house, listening } from './house.ts'
import { dataFolder, openParts, partsFor, plainStages, type Shelf } from './parts.ts'

t.test('a collection that is erased while a document of it is goes as a whole', async t => {
  const shelf: Shelf = new Map()
  const { write } = plainStages(shelf)
  const [reached, free] = [Promise.withResolvers<void>(), Promise.withResolvers<void>()]
  const remove = async (dir: string, document: string) => {
    reached.resolve()
    await free.promise
    return (await write.remove(dir, document)) as { passages: number; position: number }
  }
  const parts = await partsFor(t, { stages: { write: { ...write, remove } } })
  const { id } = parts.collections.create('ann', { name: 'to go' })
  const entries = await Promise.all(['1', '2'].map(text => parts.upload('ann', `${text}.txt`, text, { collection_id: id })))
  for (const { job_id } of entries) await parts.ended('ann', job_id)
  const one = parts.erasures.document('ann', id, entries[0]?.id ?? '')
  await reached.promise
  const all = parts.erasures.collection(id)
  await new Promise(resolve => setTimeout(resolve, 300)) // all but that one has gone by then
  free.resolve()
  await one
  t.match(await all, { pending: false })
  t.notOk((await parts.originals.collections()).includes(id), 'the folder is gone')
  t.equal(parts.announced.length, 2)
})

t.test('an upload that ends after its user has gone leaves nothing', async t => {
  const parts = await partsFor(t)
  await t.rejects(parts.upload('ann', 'a.txt', 'text', { alive: async () => false }), { code: 'unauthenticated' })
  t.same(parts.catalogue.collections.owned('ann'), [])
  let asked = 0
  const alive = async () => ++asked === 1 // and is gone once it is her turn
  await t.rejects(parts.upload('ann', 'a.txt', 'text', { alive }), { code: 'unauthenticated' })
  t.match(parts.catalogue.collections.owned('ann'), [{ documents: 0 }])
  t.same(await readdir(join(await parts.originals.workspace(), '..', 'in-0')).catch(({ code }) => code), 'ENOENT')
})

t.test('one whose session has ended while she sent is refused', async t => {
  const { app, authApp, dataDir, person } = await house(t)
  const eve = await person('eve')
  const form = new FormData()
  form.append('file', new File(['a text of some length'], 'a.txt'))
  const sent = new Response(form)
  const bytes = new Uint8Array(await sent.arrayBuffer())
  const body = new ReadableStream<Uint8Array>({
    async start(controller) {
      controller.enqueue(bytes.subarray(0, -60))
      while ((await readdir(join(dataDir, 'tmp'))).length === 0) await new Promise(setImmediate)
      t.equal((await authApp.inject({ method: 'POST', url: '/logout', headers: eve.headers })).statusCode, 204)
      controller.enqueue(bytes.subarray(-60))
      controller.close()
    },
  })
  const port = await listening(app)
  const headers = { ...eve.headers, 'content-type': sent.headers.get('content-type') ?? '' }
  const order = { method: 'POST', headers, body, duplex: 'half' as const }
  t.match(await fetch(`http://127.0.0.1:${port}/documents`, order), { status: 401 })
  t.same(await readdir(join(dataDir, 'tmp')), [])
})

t.test('a document that was erased is erased again when a snapshot brings it back', async t => {
  const { app, person } = await house(t)
  const ann = await person('ann')
  const { id } = await ann.has('a.txt', 'The ferry leaves at seven.')
  // As it stands in the stream since before the snapshot was put back.
  await app.redis.xadd('erasures', '*', 'document', id, 'versions', '', 'user', ann.user_id)
  while ((await ann.send('GET', `/documents/${id}`)).status !== 404) await new Promise(setImmediate)
  t.same((await ann.send('POST', '/search', { query: 'ferry' })).body.passages, [])
})

t.test('without its catalogue a data folder is not opened, and nothing in it goes', async t => {
  const folder = await dataFolder(t)
  const shelf: Shelf = new Map()
  const before = await openParts(folder, shelf)
  const { id, job_id } = await before.upload('ann', 'a.txt', 'text')
  await before.ended('ann', job_id)
  const { path } = before.documents.content('ann', id)
  await before.stop()
  removeDatabase(join(folder, 'catalogue.sqlite'))
  await t.rejects(openParts(folder, shelf), { message: /catalogue\.sqlite is missing, but .* holds documents/ })
  t.throws(() => openCatalogue(folder))
  t.ok(existsSync(path))
})
