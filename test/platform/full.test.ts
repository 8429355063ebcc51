// A Redis without room left, as three services with their limits on meet it: whoever is there can read, leave and delete, and so make
// room; what would have to be stored is refused in words.
import t from 'tap'
import { AUDIT_STREAM } from '../../src/platform/audit.ts'
import { asking, personAt, until } from '../auth/house.ts'
import { type Running, startStack } from '../matrix/stack.ts'
import { password } from '../support/services.ts'

const limits = ['CALLER', 'ADDRESS', 'LOGIN', 'LOGIN_ACCOUNT', 'AGENT', 'UPLOAD', 'RAG_QUERY'].map(one => `LIMIT_${one}_PER_MIN`)
const more = Object.fromEntries([...limits, 'LIMIT_REGISTER_PER_5MIN'].map(name => [name, '1000']))
const { auth, agent, rag, root, key } = await startStack(t, { more })
const ada = await personAt(auth.app, 'ada')
const elsewhere = await personAt(auth.app, 'ada')
const eve = await personAt(auth.app, 'eve')
const [kept, ended] = [await key(ada), await key(ada)]
const as = (service: Running, { headers }: { headers: Record<string, string> }) => asking(service.app, headers)
const chat = { user_request: 'Hello', mode: 'chat' }
const { conversation_id } = (await as(agent, ada)('POST', '/query', chat)).body
const stored = await as(rag, ada)('POST', '/documents', { title: 'ferry', text: 'The ferry leaves at 07:40 from pier nine.' })
const [{ id: document }] = stored.body.documents
const asked = { user_request: 'When does the ferry leave?' }
await until(async () => (await as(agent, ada)('POST', '/query', asked)).body.grounded)
const { conversation_id: quoting } = (await as(agent, ada)('POST', '/query', asked)).body

await auth.app.redis.config('SET', 'maxmemory', '1')
const FULL = { status: 507, body: { code: 'storage_full', message: String, request_id: String } }

t.test('a full Redis serves what is there, and goes on counting', async t => {
  for (const path of ['/me', '/sessions', '/api-keys']) t.match(await as(auth, ada)('GET', path), { status: 200 }, path)
  t.match(await as(agent, ada)('GET', `/conversations/${conversation_id}`), { status: 200, body: { id: conversation_id } })
  t.match(await as(rag, ada)('GET', '/documents'), { status: 200, body: { documents: [{ id: document }] } })
  t.match(await as(rag, ada)('POST', '/search', { query: 'when does the ferry leave' }), { status: 200 })
  for (const service of [auth, agent, rag]) t.match(await asking(service.app)('GET', '/nothing'), { status: 404 }, service.name)
  for (const service of [agent, rag]) t.match(await as(service, kept)('GET', '/status'), { status: 200 }, service.name)
  t.match(await as(auth, ada)('GET', '/me'), { headers: { 'ratelimit-limit': 1000, 'ratelimit-remaining': /^\d{1,3}$/ } })
})

t.test('a full Redis refuses what would be stored, in words', async t => {
  const visitor = asking(auth.app)
  t.match(await visitor('POST', '/register', { username: 'late', password }), FULL)
  t.match(await visitor('POST', '/login', { username: 'ada', password }), FULL)
  t.match(await as(auth, ada)('POST', '/api-keys', { name: 'k', permissions: ['read:rag'], expires_in_days: 1 }), FULL)
  const change = { current_password: password, new_password: `${password} and staple` }
  t.match(await as(auth, eve)('PUT', '/me/password', change), FULL)
  t.match(await as(agent, ada)('POST', '/query', chat), FULL)
})

t.test('at a full Redis everything can be ended and deleted, which is recorded and holds at once', async t => {
  t.match(await as(auth, ada)('DELETE', `/api-keys/${ended.id}`), { status: 204 })
  t.match(await as(auth, ada)('DELETE', `/sessions/${elsewhere.session_id}`), { status: 204 })
  t.match(await as(agent, ada)('DELETE', `/conversations/${conversation_id}`), { status: 204 })
  t.match(await as(agent, ada)('GET', `/conversations/${conversation_id}`), { status: 404 })
  const erased = await as(rag, ada)('DELETE', `/documents/${document}`)
  t.match(erased, { status: 200 })
  await until(async () => (await as(rag, ada)('GET', `/erasures/${erased.body.receipt_id}`)).body.pending === false)
  t.match(await as(agent, ada)('GET', `/conversations/${quoting}`), {
    body: { messages: [{}, { content: /has been erased/, citations: [] }] },
  })
  t.match(await as(rag, ada)('GET', `/documents/${document}`), { status: 404 })
  t.match(await as(auth, root())('PATCH', `/users/${eve.user_id}`, { disabled: true }), { status: 200 })
  t.match(await as(auth, root())('DELETE', `/users/${eve.user_id}`), { status: 204 })
  t.match(await as(auth, ada)('POST', '/logout'), { status: 204 })
  for (const dead of [ada, elsewhere, ended]) {
    t.match(await as(auth, dead)('GET', '/me'), { status: 401 })
    for (const service of [agent, rag]) t.match(await as(service, dead)('GET', '/status'), { status: 401 }, service.name)
  }
  const { entries } = (await as(auth, root())('GET', '/audit/verify')).body
  t.equal(entries, await auth.app.redis.xlen(AUDIT_STREAM), 'and sealed')
  const told = (await as(auth, root())('GET', `/audit?user_id=${ada.user_id}`)).body.events
  const actions = told.map(({ action }: { action: string }) => action)
  for (const one of ['api_key_delete', 'session_end', 'conversation_delete', 'document_erase', 'logout'])
    t.ok(actions.includes(one), one)
})

t.test('with room again all is as before', async t => {
  await auth.app.redis.config('SET', 'maxmemory', '0')
  t.match(await asking(auth.app)('POST', '/login', { username: 'ada', password }), { status: 200 })
  t.match(await asking(auth.app)('POST', '/login', { username: 'late', password }), { status: 401 })
})
