// The admin routes over HTTP: the state of each index, and a snapshot that a rag starts from.
import { rm } from 'node:fs/promises'
import { join } from 'node:path'
import t from 'tap'
import { buildService } from '../../src/platform/service.ts'
import { ragConfig } from '../../src/rag/config.ts'
import { ragService } from '../../src/rag/plugin.ts'
import { house } from './house.ts'

const { app, dataDir, ragEnv, person } = await house(t)
const [root, ann] = [await person('root'), await person('ann')]
await app.redis.hset(`user:{${root.user_id}}`, 'role', 'admin')
const state = async (query = '') => (await root.send('GET', `/admin/index${query}`)).body

t.test('the state of each index is told to whoever runs the system, and nobody else', async t => {
  await ann.has('mill.txt', 'The mill grinds barley.')
  const collection = (await ann.send('POST', '/collections', { name: 'empty' })).body
  await ann.send('POST', '/search', { query: 'barley' })
  const { indexes, next_cursor, reindex, snapshot } = await state()
  t.match(reindex, { model: 'Xenova/all-MiniLM-L6-v2', beside: null, stage: 'settled' })
  t.match({ next_cursor, snapshot }, { next_cursor: null, snapshot: null })
  const [mill] = indexes.filter((one: { passages: number }) => one.passages === 1)
  t.match(mill, { models: [/^Xenova\/all-MiniLM-L6-v2@/], position: 1 })
  t.match(Object.values(mill.memory), [{ graph: 0, rows: 1 }])
  t.match(
    indexes.find((one: { collection_id: string }) => one.collection_id === collection.id),
    { passages: 0, models: [] },
  )
  const page = await state('?limit=1')
  t.match(page, { indexes: { length: 1 }, next_cursor: indexes[0].collection_id })
  t.equal((await state(`?limit=1&cursor=${page.next_cursor}`)).indexes[0].collection_id, indexes[1].collection_id)
  for (const [method, path] of [
    ['GET', '/admin/index'],
    ['POST', '/admin/snapshot'],
    ['POST', '/admin/reindex'],
  ] as const)
    t.equal((await ann.send(method, path)).status, 403, path)
})

t.test('a change of the model that can not be is refused with a sentence', async t => {
  const ask = (body: object) => root.send('POST', '/admin/reindex', body)
  t.match(await ask({ model: 'someone/unknown' }), { status: 400, body: { message: /can't be loaded here/ } })
  t.match(await ask({ model: 'Xenova/all-MiniLM-L6-v2' }), { status: 409, body: { message: /serves already/ } })
  t.match(await ask({ action: 'rollback' }), { status: 409 })
  t.match(await ask({ action: 'finish' }), { status: 409 })
  t.match(await ask({ action: 'cancel' }), { status: 409 })
  t.equal((await ask({ model: '../../etc' })).status, 400)
})

t.test('rag starts from a snapshot taken while documents come in, with everything that was ready before', async t => {
  const before = await Promise.all(['barge', 'crane', 'dock'].map(word => ann.has(`${word}.txt`, `The ${word} is painted blue.`)))
  const coming = Array.from({ length: 6 }, (_, i) => ann.has(`late${i}.txt`, `Barrel ${i} is late.`))
  t.equal((await root.send('POST', '/admin/snapshot')).status, 202)
  t.equal((await root.send('POST', '/admin/snapshot')).status, 409, 'one at a time')
  while ((await state()).snapshot.state === 'running') {}
  const { snapshot } = await state()
  t.match(snapshot, { state: 'ready', done: snapshot.total })
  await Promise.all(coming)
  await ann.send('DELETE', `/documents/${before[0].id}`)

  const config = ragConfig({ ...ragEnv, RAG_DATA_DIR: join(dataDir, snapshot.folder) })
  const copy = await buildService(ragService(config))
  t.teardown(() => copy.close())
  await copy.ready()
  const ask = (url: string, payload?: object) =>
    copy.inject({ method: payload ? 'POST' : 'GET', url, headers: ann.headers, payload })
  while ((await ask(`/documents/${before[0].id}`)).statusCode !== 404) await new Promise(setImmediate) // erased since, and again
  for (const [i, word] of ['crane', 'dock'].entries()) {
    const [first] = (await ask('/search', { query: `blue ${word}`, top_k: 1 })).json().passages
    t.equal(first.document_id, before[i + 1].id, word)
    t.match((await ask(`/documents/${first.document_id}/text`)).payload, new RegExp(`The ${word} is painted blue`))
  }
  // What was on its way is whole or is made whole: nothing stays half done.
  for (let open = true; open; ) {
    const { documents } = (await ask('/documents?limit=200')).json()
    open = documents.some((one: { state: string }) => !['ready', 'failed'].includes(one.state))
    if (!open) t.ok(documents.every((one: { state: string }) => one.state === 'ready'))
  }
  await rm(join(dataDir, 'snapshots'), { recursive: true, force: true })
})
