import t from 'tap'
import { common, drive, signedIn, type Table } from './drive.ts'
import { startStack, type Who } from './stack.ts'

const stack = await startStack(t)
const { agent } = stack

/** A finished run of `user`, with its conversation. */
async function asked(): Promise<{ run_id: string; conversation_id: string }> {
  return (await stack.ask(agent, 'user')('POST', '/query', { user_request: 'Is anybody there?' })).body
}
/** One that nothing happens to; whoever can use a run up is given one made anew. */
const kept = await asked()
const target = async (who: Who) => (who === 'user' || who === 'key' ? asked() : kept)
const call = (name: string, given: object) => ({
  body: { jsonrpc: '2.0', id: 1, method: 'tools/call', params: { name, arguments: given } },
  headers: { accept: 'application/json, text/event-stream' },
})

const table: Table = {
  ...common,
  'GET /status': { statuses: signedIn() },
  'GET /tools': { statuses: signedIn() },
  'GET /usage': { statuses: signedIn() },
  'GET /v1/models': { statuses: signedIn() },
  'POST /query': {
    statuses: [401, 403, 200, 200, 200, 200],
    send: () => ({ body: { user_request: 'Is anybody there?' } }),
  },
  'POST /v1/chat/completions': {
    statuses: [401, 403, 200, 200, 200, 200],
    send: () => ({ body: { model: 'any', messages: [{ role: 'user', content: 'Is anybody there?' }] } }),
  },
  'POST /mcp': { statuses: signedIn(), send: () => call('search_documents', { query: 'anybody' }) },
  'GET /runs/:id': {
    statuses: [401, 404, 200, 404, 200, 404],
    send: () => ({ path: `/runs/${kept.run_id}` }),
  },
  'GET /runs/:id/events': {
    statuses: [401, 404, 200, 404, 200, 404],
    send: () => ({ path: `/runs/${kept.run_id}/events` }),
  },
  'DELETE /runs/:id': {
    statuses: [401, 403, 204, 404, 204, 404],
    send: async who => ({ path: `/runs/${(await target(who)).run_id}` }),
  },
  'GET /conversations': { statuses: signedIn() },
  'GET /conversations/:id': {
    statuses: [401, 404, 200, 404, 200, 404],
    send: () => ({ path: `/conversations/${kept.conversation_id}` }),
  },
  'DELETE /conversations/:id': {
    statuses: [401, 403, 204, 404, 204, 404],
    send: async who => ({ path: `/conversations/${(await target(who)).conversation_id}` }),
  },
}

t.test('the agent answers each route to each caller as the table says', t => drive(t, stack, agent, table))

t.test('and through the edge', async t => drive(t, stack, agent, table, await stack.edge()))

t.test('a tool called over MCP demands the right it stands for', async t => {
  const tools: [string, object][] = [
    ['search_documents', { query: 'anybody' }],
    ['read_document', { document_id: 'x' }],
    ['ask', { user_request: 'Is anybody there?' }],
  ]
  for (const [name, given] of tools) {
    const { body, headers } = call(name, given)
    const { body: refused } = await stack.ask(agent, 'guest')('POST', '/mcp', body, { headers })
    t.match(JSON.stringify(refused), /permit/, `${name} for a guest`)
    t.notMatch(JSON.stringify(refused), /passages|final_response/)
    const { body: allowed } = await stack.ask(agent, 'user')('POST', '/mcp', body, { headers })
    t.notMatch(JSON.stringify(allowed), /permit/, `${name} for a user`)
  }
})
