import t from 'tap'
import { until } from '../auth/house.ts'
import { common, drive, type Table } from './drive.ts'
import { startStack, type Who } from './stack.ts'

const stack = await startStack(t)
const { rag } = stack
const ask: ReturnType<typeof stack.ask> = (...words) => stack.ask(rag, 'user')(...words)
let made = 0

/** A document of `user`, ready. */
async function document(): Promise<{ id: string; job_id: string }> {
  const { body } = await ask('POST', '/documents', { title: `t${++made}`, text: `The number of this text is ${made}.` })
  const [entry] = body.documents
  await until(async () => (await ask('GET', `/jobs/${entry.job_id}`)).body.state === 'ready')
  return entry
}
/** One that nothing happens to. */
const kept = await document()
/** What may be used up by who is asking: made anew for those who can, for the others the one that is kept. */
const target = async (who: Who) => (who === 'user' || who === 'key' ? document() : kept)
const collection = async () => (await ask('POST', '/collections', { name: `c${++made}` })).body.id as string
const receipt = (await ask('DELETE', `/documents/${(await document()).id}`)).body.receipt_id as string
const evaluation = { queries: [{ query: 'number', relevant: ['x'] }], configurations: [{ name: 'one' }] }
/** One for all: only a few of a user may wait. */
const evaluated = (await ask('POST', '/evaluations', evaluation)).body.id as string

/** For whoever may read or write documents at all. */
const may = (status: number): [number, number, number, number, number, number] => [401, 403, status, status, status, status]
/** For the owner and her key; to everyone else it is not there, the admin included. */
const own = (status: number): [number, number, number, number, number, number] => [401, 403, status, 404, status, 404]

/** For whoever runs the system. */
const administer = (status: number): [number, number, number, number, number, number] => [401, 403, 403, 403, 403, status]

const table: Table = {
  ...common,
  'GET /status': { statuses: may(200) },
  'POST /documents': { statuses: may(202), send: () => ({ body: { title: `new${++made}`, text: `Text ${made}.` } }) },
  'GET /documents': { statuses: may(200) },
  'GET /documents/:id': { statuses: own(200), send: () => ({ path: `/documents/${kept.id}` }) },
  'GET /documents/:id/text': { statuses: own(200), send: () => ({ path: `/documents/${kept.id}/text` }) },
  'GET /documents/:id/content': {
    statuses: own(200),
    send: async () => ({ path: `/documents/${(await document()).id}/content` }),
  },
  'POST /documents/:id/retry': { statuses: own(409), send: () => ({ path: `/documents/${kept.id}/retry` }) },
  'DELETE /documents/:id': { statuses: own(200), send: async who => ({ path: `/documents/${(await target(who)).id}` }) },
  'GET /erasures/:id': {
    statuses: own(200),
    send: () => ({ path: `/erasures/${receipt}` }),
  },
  'GET /jobs/:id': { statuses: own(200), send: () => ({ path: `/jobs/${kept.job_id}` }) },
  'GET /jobs/:id/events': { statuses: own(200), send: () => ({ path: `/jobs/${kept.job_id}/events` }) },
  'DELETE /jobs/:id': { statuses: own(409), send: () => ({ path: `/jobs/${kept.job_id}` }) },
  'POST /search': { statuses: may(200), send: () => ({ body: { query: 'number' } }) },
  'POST /retrieve': { statuses: may(200), send: () => ({ body: { query: 'number' } }) },
  'POST /lookup': { statuses: may(200), send: () => ({ body: { query: 'number' } }) },
  'POST /query': { statuses: may(200), send: () => ({ body: { query: 'number' } }) },
  'POST /v1/embeddings': { statuses: may(200), send: () => ({ body: { input: 'number' } }) },
  'POST /ingest': { statuses: may(403), send: () => ({ body: { file_paths: ['x.txt'] } }) },
  'POST /evaluations': { statuses: may(202), send: () => ({ body: evaluation }) },
  'GET /evaluations/:id': { statuses: own(200), send: () => ({ path: `/evaluations/${evaluated}` }) },
  'POST /admin/reindex': { statuses: administer(409), send: () => ({ body: { action: 'rollback' } }) },
  'POST /admin/snapshot': { statuses: administer(202) },
  'GET /admin/index': { statuses: administer(200) },
  'POST /collections': { statuses: may(201), send: () => ({ body: { name: `mine${++made}` } }) },
  'GET /collections': { statuses: may(200) },
  'GET /collections/:id': { statuses: own(200), send: async () => ({ path: `/collections/${await collection()}` }) },
  'PATCH /collections/:id': {
    statuses: own(200),
    send: async () => ({ path: `/collections/${await collection()}`, body: { description: 'x' } }),
  },
  'DELETE /collections/:id': { statuses: own(200), send: async () => ({ path: `/collections/${await collection()}` }) },
  'PUT /collections/:id/grants/:user_id': {
    statuses: own(204),
    send: async () => ({
      path: `/collections/${await collection()}/grants/${stack.as('guest').user_id}`,
      body: { access: 'read' },
    }),
  },
  'DELETE /collections/:id/grants/:user_id': {
    statuses: own(204),
    send: async () => {
      const path = `/collections/${await collection()}/grants/${stack.as('guest').user_id}`
      await ask('PUT', path, { access: 'read' })
      return { path }
    },
  },
}

t.test('rag answers each route to each caller as the table says', t => drive(t, stack, rag, table))

t.test('and through the edge', async t => drive(t, stack, rag, table, await stack.edge()))
