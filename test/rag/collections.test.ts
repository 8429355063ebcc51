// Collections and grants over HTTP (routes/collections.ts): what each share allows, and what taking it back takes.
import { join } from 'node:path'
import t from 'tap'
import { openDatabase } from '../../src/rag/store/database.ts'
import { schemas } from '../../src/rag/store/schema.ts'
import { house } from './house.ts'

const { person, app, dataDir } = await house(t)
const [ann, bob, cyd] = [await person('ann'), await person('bob'), await person('cyd')]
const grant = (id: string, user_id: string, access: string) => ann.send('PUT', `/collections/${id}/grants/${user_id}`, { access })

t.test('everyone has a private default, which keeps its name and stays', async t => {
  const { body } = await ann.send('GET', '/collections')
  t.match(body, { collections: [{ name: 'default', access: 'owner', owner: ann.user_id, documents: 0 }], next_cursor: null })
  const [{ id }] = body.collections
  t.match(await ann.send('PATCH', `/collections/${id}`, { name: 'other' }), { status: 409, body: { code: 'conflict' } })
  t.match(await ann.send('PATCH', `/collections/${id}`, { description: 'Mine' }), { status: 200, body: { description: 'Mine' } })
  t.match(await ann.send('DELETE', `/collections/${id}`), { status: 409 })
  t.equal((await ann.send('POST', '/collections', { name: 'default' })).status, 409)
})

t.test('read lets one search and fetch, write lets one add and delete, neither lets one share or erase', async t => {
  const made = await ann.send('POST', '/collections', { name: 'shared', description: 'For us' })
  t.match(made, { status: 201, body: { name: 'shared', access: 'owner', grants: [] } })
  const { id } = made.body
  t.equal(made.headers.location, `collections/${id}`)
  const { id: doc } = await ann.has('lamp.txt', 'The lighthouse lamp was replaced in 1987.', { collection_id: id })

  t.equal((await grant(id, bob.user_id, 'read')).status, 204)
  t.match((await bob.send('GET', `/collections/${id}`)).body, { access: 'read', documents: 1, grants: undefined })
  t.match((await bob.send('POST', '/search', { query: 'lighthouse lamp' })).body.passages, [{ document_id: doc }])
  t.match(await bob.send('GET', `/documents/${doc}/text`), { status: 200, text: /1987/ })
  t.equal((await bob.send('GET', '/documents')).body.documents.length, 1)
  t.match(await bob.send('DELETE', `/documents/${doc}`), { status: 403, body: { code: 'forbidden' } })
  t.equal((await bob.upload({ 'a.txt': 'a' }, { collection_id: id })).status, 403)
  t.equal((await bob.send('PATCH', `/collections/${id}`, { name: 'his' })).status, 403)
  t.equal((await bob.send('DELETE', `/collections/${id}`)).status, 403)
  t.equal((await bob.send('PUT', `/collections/${id}/grants/${cyd.user_id}`, { access: 'read' })).status, 403)
  t.equal((await bob.send('DELETE', `/collections/${id}/grants/${ann.user_id}`)).status, 403)

  t.equal((await grant(id, bob.user_id, 'write')).status, 204)
  t.match((await ann.send('GET', `/collections/${id}`)).body.grants, [{ user_id: bob.user_id, access: 'write' }])
  const { id: his } = await bob.has('oil.txt', 'The lamp burned whale oil.', { collection_id: id })
  t.equal((await ann.send('GET', `/documents/${his}`)).status, 200)
  t.equal((await bob.send('DELETE', `/documents/${doc}`)).status, 200)
  t.equal((await bob.send('DELETE', `/collections/${id}`)).status, 403)

  t.equal((await ann.send('DELETE', `/collections/${id}/grants/${bob.user_id}`)).status, 204)
  for (const path of [`/documents/${his}`, `/documents/${his}/text`, `/collections/${id}`])
    t.equal((await bob.send('GET', path)).status, 404, path)
  t.same((await bob.send('POST', '/search', { query: 'whale oil' })).body.passages, [])
  t.equal((await ann.send('DELETE', `/collections/${id}/grants/${bob.user_id}`)).status, 404)
  t.match(await ann.send('DELETE', `/collections/${id}`), { status: 200, body: { documents: 1, pending: false } })
  t.equal((await ann.send('GET', `/documents/${his}`)).status, 404)
})

t.test('one may leave a share oneself, and cannot share with oneself', async t => {
  const { id } = (await ann.send('POST', '/collections', { name: 'to leave' })).body
  await grant(id, cyd.user_id, 'read')
  t.equal((await cyd.send('DELETE', `/collections/${id}/grants/${cyd.user_id}`)).status, 204)
  t.equal((await cyd.send('GET', `/collections/${id}`)).status, 404)
  t.match(await grant(id, ann.user_id, 'read'), { status: 409 })
  t.match(await grant(id, 'not-a-user', 'read'), { status: 400 })
  t.match(await grant(id, bob.user_id, 'admin'), { status: 400 })
})

t.test('collections are searched apart, and named ones only', async t => {
  const dot = await person('dot')
  const ids = []
  for (const name of ['one', 'two']) {
    const { id } = (await dot.send('POST', '/collections', { name })).body
    await dot.has(`${name}.txt`, `Collection ${name} tells about otters.`, { collection_id: id })
    ids.push(id)
  }
  const found = async (collection_ids?: string[]) => {
    const { body } = await dot.send('POST', '/search', { query: 'otters', collection_ids })
    return body.passages.map(({ title }: { title: string }) => title).toSorted()
  }
  t.same(await found(), ['one.txt', 'two.txt'])
  t.same(await found([ids[0]]), ['one.txt'])
  t.same(await found([ids[1], ids[1]]), ['two.txt'])
  const page = (await dot.send('GET', '/collections?limit=2')).body
  t.equal(page.collections.length, 2)
  t.equal((await dot.send('GET', '/collections?cursor=junk')).status, 400, 'a place no page ended at')
  t.equal((await dot.send('GET', `/collections?limit=2&cursor=${page.next_cursor}`)).body.collections.length, 1)
})

t.test('when a user is erased by auth, everything of hers goes from rag, files included', async t => {
  const eve = await person('eve')
  const { id, collection_id } = await eve.has('diary.txt', 'Eve hid the marmalade.')
  await app.redis.xadd('erasures', '*', 'user', eve.user_id)
  while ((await eve.send('GET', `/documents/${id}`)).status !== 404) await new Promise(setImmediate)
  const { readdir } = await import('node:fs/promises')
  while ((await readdir(`${dataDir}/collections`)).includes(collection_id)) await new Promise(setImmediate)
  const entries = await app.redis.xrange('erasures', '-', '+')
  t.ok(
    entries.some(([, fields]) => fields.includes(id)),
    'whoever holds a copy is told',
  )
  while (!(await app.redis.get('erasures:cursor:rag'))) await new Promise(setImmediate)
})

t.test('nobody can be given collections without end', async t => {
  const dee = await person('dee')
  const made = async (name: string) => (await ann.send('POST', '/collections', { name })).body.id
  const [one, another] = [await made('one more'), await made('another')]
  const catalogue = openDatabase(join(dataDir, 'catalogue.sqlite'), schemas)
  t.teardown(() => catalogue.close())
  catalogue.run(
    `INSERT INTO collections (id, owner, name, description, created_at)
     SELECT 'of-eve-' || value, 'eve', value, '', 1 FROM json_each(:numbers)`,
    { numbers: JSON.stringify(Array.from({ length: 999 }, (_, i) => i + 1)) },
  )
  catalogue.run(`INSERT INTO grants SELECT id, '${dee.user_id}', 'read' FROM collections WHERE owner = 'eve'`)
  t.equal((await grant(one, dee.user_id, 'read')).status, 204)
  t.match(await grant(another, dee.user_id, 'read'), { status: 409, body: { code: 'conflict' } })
  t.equal((await grant(one, dee.user_id, 'write')).status, 204, 'what she has can be changed')
  t.equal((await dee.send('DELETE', `/collections/of-eve-1/grants/${dee.user_id}`)).status, 204)
  t.equal((await grant(another, dee.user_id, 'read')).status, 204, 'and given where there is room again')
})

t.test('whatever others share with her, nobody is kept from asking her own', async t => {
  const fay = await person('fay')
  await fay.has('own.txt', 'Otters of her own.')
  const catalogue = openDatabase(join(dataDir, 'catalogue.sqlite'), schemas)
  t.teardown(() => catalogue.close())
  const fill = (owner: string) => {
    const numbers = JSON.stringify(Array.from({ length: 50 }, (_, i) => i + 1))
    catalogue.run(
      `INSERT INTO collections (id, owner, name, description, created_at)
       SELECT 'f-${owner}-' || value, '${owner}', 'f' || value, '', 1 FROM json_each(:numbers)`,
      { numbers },
    )
    catalogue.run(
      `INSERT INTO documents (id, collection_id, title, source, metadata, original, bytes, state, version, job_id, created_by, created_at, updated_at)
       SELECT 'd-' || id, id, 'x', NULL, '{}', 'o', 1, 'ready', 'v', 'j', owner, 1, 1 FROM collections WHERE id LIKE 'f-${owner}-%'`,
    )
  }
  fill('gus')
  catalogue.run(`INSERT INTO grants SELECT id, '${fay.user_id}', 'read' FROM collections WHERE owner = 'gus'`)
  t.match(await fay.send('POST', '/search', { query: 'otters' }), { status: 200, body: { passages: [{ title: 'own.txt' }] } })
  fill(fay.user_id)
  t.match(await fay.send('POST', '/search', { query: 'otters' }), {
    status: 400,
    body: { message: 'You have 51 collections; name at most 50 of them in collection_ids' },
  })
})
