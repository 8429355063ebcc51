// What happens at agent and rag is told in the one audit log, with who, what, where and the request it was.
import t from 'tap'
import { AUDIT_STREAM } from '../../src/platform/audit.ts'
import { type Ask, asking, personAt } from '../auth/house.ts'
import { startStack } from './stack.ts'

const { auth, agent, rag, root, key } = await startStack(t, { more: { LIMIT_AGENT_PER_MIN: '2' } })

interface Event {
  action: string
  outcome: string
  target?: string
  service: string
}

t.test(
  'documents stored and erased, refused access, used-up limits and keys used are told, whichever service it was',
  async t => {
    const eve = await personAt(auth.app, 'eve')
    const stores = asking(rag.app, eve.headers)
    const { body, headers } = await stores('POST', '/documents', { title: 'one', text: 'The text of one.' })
    const [{ id }] = body.documents
    await stores('POST', '/documents', { title: 'one', text: 'The text of one.' })
    await stores('DELETE', `/documents/${id}`)
    await stores('POST', '/ingest', { file_paths: ['x.txt'] })
    for (let i = 0; i < 4; i++) await asking(agent.app, eve.headers)('POST', '/query', { user_request: 'Is anybody there?' })
    const made = await key(eve)
    for (let i = 0; i < 3; i++) await asking(agent.app, made.headers)('GET', '/status')
    await eve.ask('DELETE', '/sessions')
    for (let i = 0; i < 3; i++) await stores('GET', '/documents')

    const { events } = (await root().ask('GET', `/audit?user_id=${eve.user_id}&limit=100`)).body as { events: Event[] }
    t.same(
      events
        .map(({ action, outcome, target, service }) => [service, action, outcome, target].filter(Boolean).join(' '))
        .toReversed(),
      [
        'authentication register allowed',
        'authentication login allowed',
        `rag document_store allowed ${id}`,
        `rag document_erase allowed ${id}`,
        'rag access denied POST /ingest',
        'agent limit denied POST /query',
        'authentication api_key_make allowed',
        'agent api_key_use allowed GET /status',
        'authentication session_end allowed',
        'authentication sessions_end allowed',
      ],
    )
    const [stored] = events.filter(({ action }) => action === 'document_store')
    t.match(stored, { user_id: eve.user_id, address: '127.0.0.1', request_id: headers['x-request-id'], time: /Z$/ })
    const { body: refused } = await root().ask('GET', '/audit?action=access&limit=1')
    t.match(refused.events, [{ service: 'rag', outcome: 'denied', user_id: null, target: 'GET /documents' }])
    t.match((await root().ask('GET', '/audit/verify')).body, { valid: true })
  },
)

t.test('what cannot be told is not done', async t => {
  const ann = await personAt(auth.app, 'ann')
  const [docs, asks] = [asking(rag.app, ann.headers), asking(agent.app, ann.headers)]
  const { body: made } = await docs('POST', '/collections', { name: 'kept' })
  const { body: stored } = await docs('POST', '/documents', { title: 'kept', text: 'Kept.' })
  const [{ id }] = stored.documents
  const { body: asked } = await asks('POST', '/query', { user_request: 'What is kept?' })
  const other = (await personAt(auth.app, 'ben')).user_id
  const grants = `/collections/${made.id}/grants`
  t.equal((await docs('PUT', `${grants}/${other}`, { access: 'read' })).status, 204)
  const { redis } = auth.app
  // At once: without a stream this Redis would be an older one.
  await redis.multi().rename(AUDIT_STREAM, 'audit:{audit}:away').set(AUDIT_STREAM, 'no stream').exec()
  const all: [Ask, string, string, object?][] = [
    [docs, 'DELETE', `/documents/${id}`],
    [docs, 'DELETE', `/collections/${made.id}`],
    [docs, 'PUT', `${grants}/${other}`, { access: 'write' }],
    [docs, 'DELETE', `${grants}/${other}`],
    [asks, 'DELETE', `/conversations/${asked.conversation_id}`],
  ]
  for (const [ask, method, path, body] of all) t.equal((await ask(method, path, body)).status, 500, `${method} ${path}`)
  await redis.rename('audit:{audit}:away', AUDIT_STREAM)
  t.equal((await docs('GET', `/documents/${id}`)).status, 200)
  t.match((await docs('GET', `/collections/${made.id}`)).body, { grants: [{ user_id: other, access: 'read' }] })
  t.equal((await asks('GET', `/conversations/${asked.conversation_id}`)).status, 200)
  for (const [ask, method, path, body] of all.toReversed())
    t.match((await ask(method, path, body)).status, /^20/, `${method} ${path}`)
})
