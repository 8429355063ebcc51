// Which tools a caller sees and may name, and that they act with her rights: on her documents, within her collections, for her budget.
import { writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { setTimeout as pause } from 'node:timers/promises'
import t from 'tap'
import { openEvidence } from '../../src/agent/evidence.ts'
import { readDocument, searchDocuments } from '../../src/agent/tools/documents.ts'
import { house } from './house.ts'

const servers = join(t.testdir(), 'servers.json')
const program = [join(import.meta.dirname, 'tool-server.ts')]
const far = { command: process.execPath, args: program, tools: ['add', 'crooked'], permission: 'write:rag' }
writeFileSync(servers, JSON.stringify({ mcpServers: { far } }))

const { person, app, authApp, agentEnv } = await house(t, { MCP_SERVERS: servers, LIMIT_TOKENS_PER_DAY: '5000' })
const ada = await person('ada')
const text = `${'The kiln — an old one — must cool for eighteen hours.\n'.repeat(200)}At last it is opened.`
const document_id = await ada.store('kiln', text)

const key = async (permissions: string[]) => {
  const payload = { name: permissions.join(' '), permissions, expires_in_days: 1 }
  const made = await authApp.inject({ method: 'POST', url: '/api-keys', headers: ada.headers, payload })
  return { authorization: `Bearer ${made.json().key}` }
}
const seenBy = async (headers: object) =>
  (await app.inject({ url: '/tools', headers: { ...headers } })).json<{ tools: { name: string }[] }>().tools
const ours = ['search_documents', 'read_document', 'calculator', 'current_time']

t.test('a caller sees the tools her rights allow, with their schemas', async t => {
  while ((await seenBy(ada.headers)).length < 5) await pause(20)
  const all = await seenBy(ada.headers)
  t.same(
    all.map(({ name }) => name),
    [...ours, 'far__add'],
  )
  t.match(all, [{ description: /documents/, parameters: { type: 'object', required: ['query'] } }])
  t.match(all.at(-1), { parameters: { required: ['a', 'b'] } })
  t.same(
    (await seenBy(await key(['read:agent']))).map(({ name }) => name),
    ['calculator', 'current_time'],
  )
})

t.test('a question names tools that are there and that its caller may use', async t => {
  const asked = async (tools: string[], headers: object = ada.headers) => {
    const payload = { user_request: 'How long must the kiln cool?', tools }
    const { statusCode, body } = await app.inject({ method: 'POST', url: '/query', headers: { ...headers }, payload })
    return [statusCode, JSON.parse(body).message ?? 'answered']
  }
  t.same(await asked([...ours, 'far__add']), [200, 'answered'])
  t.same(await asked([]), [200, 'answered'])
  t.match(await asked(['shell']), [400, /no tool called "shell"/])
  t.match(await asked(['calculator', 'add']), [400, /no tool called "add"/])
  t.match(await asked(['far__hidden']), [400, /no tool/], 'one that is not on the list')
  t.match(await asked(['far__crooked']), [503, /not available/], 'one that is on the list and not there')
  t.match(await asked(['far__add'], await key(['read:agent', 'write:agent', 'read:rag'])), [403, /permit/])
})

t.test('documents are read in passages that can be cited, in whole characters, as the caller', async t => {
  const evidence = openEvidence(agentEnv.RAG_SERVICE_URL ?? '')
  const bea = await person('bea')
  const context = (headers: { authorization: string }, collection_ids?: string[]) => ({
    asker: { authorization: headers.authorization, address: '127.0.0.1' },
    user_id: ada.user_id,
    request_id: 'r',
    signal: new AbortController().signal,
    collection_ids,
  })
  const [search, read] = [searchDocuments(evidence), readDocument(evidence)]
  const part = await read.run({ document_id, start_byte: 9, bytes: 9001 }, context(ada.headers))
  const bytes = (await ada.text(`/documents/${document_id}/text`, 'bytes=0-')).rawPayload
  let at = 9
  for (const passage of part.passages ?? []) {
    t.match(passage, { document_id, title: 'kiln', start_byte: at, version: /^[0-9a-f]{64}$/ })
    t.equal(passage.content, bytes.toString('utf8', at, passage.end_byte))
    at = passage.end_byte
  }
  t.match(part.structured, { end_byte: at, size: bytes.length })
  t.ok(at > 9000 - 9 && at <= 9010)
  const [within, next] = [bytes.indexOf('—') + 1, bytes.indexOf('—') + 3]
  const end = within + 40
  t.match(
    await read.run({ document_id, start_byte: within, bytes: end - within }, context(ada.headers)),
    {
      text: bytes.toString('utf8', next, end),
      structured: { start_byte: next, end_byte: end },
      passages: [{ start_byte: next, end_byte: end }],
    },
    'from within a character on, it begins at the next',
  )

  const [found] = (await search.run({ query: 'kiln' }, context(ada.headers))).passages ?? []
  const { collection_id = '' } = found ?? {}
  t.match(found, { document_id })
  t.same((await search.run({ query: 'kiln' }, context(bea.headers))).passages, [])
  await t.rejects(read.run({ document_id }, context(bea.headers)), { code: 'not_found' })

  const { version = '', start_byte = 0, end_byte = 0 } = found ?? {}
  const bytesFor = (authorization: string) =>
    evidence.bytes({ authorization, address: '127.0.0.1' }, { document_id, version, start_byte, end_byte })
  t.equal((await bytesFor(ada.headers.authorization))?.toString(), found?.content)
  t.equal(await bytesFor(bea.headers.authorization), undefined, "another's is not there")
  await t.rejects(
    bytesFor('Bearer x.y.z'),
    { code: 'unauthenticated' },
    'who is signed out is told so, not that nothing is there',
  )

  const elsewhere = context(ada.headers, ['elsewhere'])
  t.same(
    (await search.run({ query: 'kiln', collection_ids: [collection_id] }, elsewhere)).passages,
    [],
    'a question stays where it was asked',
  )
  await t.rejects(read.run({ document_id }, elsewhere), { code: 'not_found' })
  t.ok((await read.run({ document_id }, context(ada.headers, [collection_id]))).text)
})

t.test('a caller sees her own use', async t => {
  const used = await ada.send('GET', '/usage')
  t.match(
    used.json(),
    { tokens_per_day: 5000, used: 0, reserved: 0, left: 5000, days: [] },
    'answers without a model cost nothing',
  )
})
