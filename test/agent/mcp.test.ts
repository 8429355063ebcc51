// The official MCP client lists the tools and calls them, with the caller's rights and no more.
import { Client } from '@modelcontextprotocol/sdk/client/index.js'
import { StreamableHTTPClientTransport } from '@modelcontextprotocol/sdk/client/streamableHttp.js'
import t from 'tap'
import { house } from './house.ts'

const { person, url, authApp } = await house(t)
const ada = await person('ada')
const text = 'The kiln — an old one — must cool for eighteen hours before it is opened.'
const document_id = await ada.store('kiln', text)

async function connect(headers: Record<string, string>) {
  const client = new Client({ name: 'test', version: '1' })
  await client.connect(new StreamableHTTPClientTransport(new URL(`${url}/mcp`), { requestInit: { headers } }))
  t.teardown(() => client.close())
  return client
}

t.test('tools are listed with their schemas and do what they say', async t => {
  const client = await connect(ada.headers)
  const { tools } = await client.listTools()
  t.match(
    tools.map(({ name, inputSchema }) => [name, inputSchema.required]),
    [
      ['search_documents', ['query']],
      ['read_document', ['document_id']],
      ['ask', ['user_request']],
    ],
  )
  const found = await client.callTool({ name: 'search_documents', arguments: { query: 'kiln', top_k: 1 } })
  t.match(found.structuredContent, { passages: [{ document_id, content: text }] })
  const read = await client.callTool({ name: 'read_document', arguments: { document_id, start_byte: 4 } })
  t.match(read.structuredContent, {
    text: text.slice(4),
    start_byte: 4,
    end_byte: Buffer.byteLength(text),
    size: Buffer.byteLength(text),
  })
  const asked = await client.callTool({ name: 'ask', arguments: { user_request: 'How long must the kiln cool?' } })
  t.match(asked.structuredContent, { grounded: true, final_response: /eighteen hours/, citations: [{ quote: text }] })
})

t.test('wrong arguments, unknown tools and documents of others are told as errors', async t => {
  const [client, other] = [await connect(ada.headers), await connect((await person('bea')).headers)]
  for (const [who, name, given, said] of [
    [client, 'search_documents', {}, /The arguments of search_documents are not valid/],
    [client, 'search_documents', { query: 'kiln', user_id: 'x' }, /The arguments of search_documents are not valid/],
    [client, 'shell', { command: 'ls' }, /no tool/],
    [client, 'read_document', { document_id: '../../x' }, /The arguments of read_document are not valid/],
    [client, 'ask', { user_request: 7 }, /The arguments of ask are not valid/],
    [other, 'read_document', { document_id }, /not_found/],
  ] as const) {
    const reply = await who.callTool({ name, arguments: given })
    t.match(reply, { isError: true, content: [{ text: said }] }, `${name} ${JSON.stringify(given)}`)
  }
  const found = await other.callTool({ name: 'search_documents', arguments: { query: 'kiln' } })
  t.same(found.structuredContent, { passages: [] })
})

/** A client with a key that has only these rights. */
async function keyed(permissions: string[]) {
  const payload = { name: permissions.join(' '), permissions, expires_in_days: 1 }
  const made = await authApp.inject({ method: 'POST', url: '/api-keys', headers: ada.headers, payload })
  return connect({ authorization: `Bearer ${made.json().key}` })
}

t.test('a key that may only read documents cannot ask', async t => {
  const client = await keyed(['read:rag'])
  const found = await client.callTool({ name: 'search_documents', arguments: { query: 'kiln' } })
  t.match(found.structuredContent, { passages: [{ document_id }] })
  const asked = await client.callTool({ name: 'ask', arguments: { user_request: 'How long must the kiln cool?' } })
  t.match(asked, { isError: true, content: [{ text: /forbidden/ }] })
})

t.test('a key that may only ask cannot read documents by a tool', async t => {
  const client = await keyed(['write:agent'])
  for (const [name, given] of [
    ['search_documents', { query: 'kiln' }],
    ['read_document', { document_id }],
    ['ask', { user_request: 'How long must the kiln cool?' }],
  ] as const) {
    t.match(await client.callTool({ name, arguments: given }), { isError: true, content: [{ text: /forbidden/ }] }, name)
  }
})

t.test('nobody gets in without a credential', async t => {
  const reply = await fetch(`${url}/mcp`, { method: 'POST', headers: { 'content-type': 'application/json' }, body: '{}' })
  t.equal(reply.status, 401)
})
