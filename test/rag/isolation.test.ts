// Two users over every route rag has: the list comes from the routes themselves, so that a new one is tested the day it is written.
import t from 'tap'
import { house, type Sent } from './house.ts'

const { routes, person, app } = await house(t)
const [ann, bob] = [await person('ann'), await person('bob')]

const SECRET = 'heliotrope'
const collection = (await ann.send('POST', '/collections', { name: 'vault' })).body
const document = await ann.has('vault.txt', `The vault opens with the word ${SECRET}.`, { collection_id: collection.id })
const failed = (await ann.upload({ 'noise.bin': Buffer.from('00ff01fe02fd03fc', 'hex') })).body.documents[0]
await ann.ended(failed.job_id)
const gone = await ann.has('gone.txt', 'A text that goes.')
const receipt = (await ann.send('DELETE', `/documents/${gone.id}`)).body
const evaluation = (await ann.send('POST', '/evaluations', { queries: [{ query: 'vault', relevant: [document.id] }] })).body

/** Something of ann's for every place an id stands in. */
const theirs: Record<string, Record<string, string>> = {
  documents: { id: document.id },
  jobs: { id: document.job_id },
  collections: { id: collection.id, user_id: ann.user_id },
  erasures: { id: receipt.receipt_id },
  evaluations: { id: evaluation.id },
}
const bodies: Record<string, object> = {
  'PATCH /collections/:id': { name: 'mine now' },
  'PUT /collections/:id/grants/:user_id': { access: 'write' },
}
const own = routes.filter(({ method }) => method !== 'OPTIONS')
const named = own.filter(({ url }) => url.includes(':'))
const filled = (url: string, ids: Record<string, string>) => url.replace(/:(\w+)/g, (_, name: string) => ids[name] ?? '')
const told = ({ status, body }: Sent) => ({ status, body: body && { ...body, request_id: undefined } })

t.test("by no route does somebody else's thing differ from one that never was", async t => {
  t.ok(named.length >= 15, 'there are routes')
  for (const { method, url } of named) {
    const ids = theirs[url.split('/')[1] ?? '']
    if (!ids) return t.fail(`this test knows no id for ${url}`)
    const body = bodies[`${method} ${url}`]
    const absent = { id: '0'.repeat(32), user_id: ids.user_id ?? '' }
    const reply = await bob.send(method, filled(url, ids), body)
    t.equal(reply.status, 404, `${method} ${url}`)
    t.same(told(reply), told(await bob.send(method, filled(url, absent), body)), `${method} ${url}`)
    t.notMatch(reply.text, SECRET)
  }
  t.match((await ann.send('GET', `/documents/${document.id}`)).body, { state: 'ready', passages: 1 }, 'and nothing was changed')
  t.match((await ann.send('GET', `/collections/${collection.id}`)).body, { name: 'vault', grants: [] })
})

t.test("lists and questions never show somebody else's", async t => {
  const question = { query: `Which word opens the vault? ${SECRET}` }
  for (const path of ['/search', '/retrieve', '/lookup', '/query']) {
    t.match(await ann.send('POST', path, question), { status: 200, text: new RegExp(SECRET) }, `${path} for its owner`)
    const reply = await bob.send('POST', path, question)
    t.equal(reply.status, 200)
    t.notMatch(reply.text.replace(question.query, ''), new RegExp(`${SECRET}|${document.id}`), path)
  }
  for (const path of ['/documents', '/collections', '/documents?name=vault.txt', '/documents?state=ready']) {
    t.notMatch((await bob.send('GET', path)).text, new RegExp(`${document.id}|${collection.id}|vault`), path)
  }
  const named = { collection_id: collection.id }
  t.equal((await bob.send('GET', `/documents?collection_id=${collection.id}`)).status, 404)
  t.equal((await bob.send('POST', '/search', { query: SECRET, collection_ids: [collection.id] })).status, 404)
  t.equal((await bob.send('POST', '/documents', { title: 'a', text: 'b', ...named })).status, 404)
  t.equal((await bob.upload({ 'a.txt': 'b' }, named)).status, 404)
  t.equal(
    (await bob.send('POST', '/evaluations', { queries: [{ query: 'a', relevant: ['b'] }], collection_ids: [collection.id] }))
      .status,
    404,
  )
  const same = (await bob.upload({ 'vault.txt': `The vault opens with the word ${SECRET}.` })).body.documents[0]
  t.not(same.id, document.id, 'the same bytes are a document of his own')
})

t.test('no route is open without a token, and none without its permission', async t => {
  const guest = await person('guest')
  await app.redis.hset(`user:{${guest.user_id}}`, 'role', 'guest')
  for (const { method, url } of own) {
    const path = filled(url, { id: document.id, user_id: ann.user_id })
    t.equal((await app.inject({ method: method as 'GET', url: path })).statusCode, 401, `${method} ${url} without a token`)
    t.equal((await guest.send(method, path)).status, 403, `${method} ${url} as a guest`)
  }
})
