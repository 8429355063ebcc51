// A tool server as an operator might have: the official SDK, over standard streams, or over HTTP when a port is asked for. It does well,
// fails, hangs, floods and dies, each on demand.
import { createServer } from 'node:http'
import { Server } from '@modelcontextprotocol/sdk/server/index.js'
import { StdioServerTransport } from '@modelcontextprotocol/sdk/server/stdio.js'
import { StreamableHTTPServerTransport } from '@modelcontextprotocol/sdk/server/streamableHttp.js'
import { CallToolRequestSchema, ListToolsRequestSchema } from '@modelcontextprotocol/sdk/types.js'

const number = { type: 'number' }
const sum = {
  type: 'object',
  properties: { a: number, b: { ...number, minimum: 0 } },
  required: ['a', 'b'],
  additionalProperties: false,
}
const none = { type: 'object' }
const schemas: Record<string, object> = {
  add: { $schema: 'https://json-schema.org/draft/2020-12/schema', ...sum },
  environment: none,
  pid: none,
  die: none,
  hang: none,
  fail: none,
  long: none,
  flood: none,
  hidden: none,
  crooked: { type: 'object', properties: { a: { type: 'nothing' } } },
}
let seen: Record<string, unknown> = {}

function run(name: string, given: Record<string, unknown>): string | Promise<string> {
  if (name === 'add') return String(Number(given.a) + Number(given.b))
  if (name === 'environment') return JSON.stringify(process.env)
  if (name === 'pid') return String(process.pid)
  if (name === 'die') process.exit(1)
  if (name === 'hang') return new Promise(() => undefined)
  if (name === 'fail') throw new Error('the well is dry')
  if (name === 'long') return 'x'.repeat(200_000)
  if (name === 'flood') return 'x'.repeat(3_000_000)
  return JSON.stringify(seen)
}

function server() {
  const one = new Server({ name: 'tool-server', version: '1' }, { capabilities: { tools: {} } })
  one.setRequestHandler(ListToolsRequestSchema, () => ({
    tools: Object.entries(schemas).map(([name, inputSchema]) => ({
      name,
      description: `Does ${name}. `.repeat(200),
      inputSchema: { type: 'object' as const, ...inputSchema },
    })),
  }))
  one.setRequestHandler(CallToolRequestSchema, async ({ params: { name, arguments: given = {} } }) => {
    try {
      return { content: [{ type: 'text', text: await run(name, given) }] }
    } catch (error) {
      return { isError: true, content: [{ type: 'text', text: (error as Error).message }] }
    }
  })
  return one
}

const [port] = process.argv.slice(2)
if (port === undefined) {
  process.stderr.write('tool server starts\n')
  await server().connect(new StdioServerTransport())
} else {
  createServer(async (request, reply) => {
    seen = request.headers
    const transport = new StreamableHTTPServerTransport({ sessionIdGenerator: undefined })
    await server().connect(transport)
    await transport.handleRequest(request, reply)
  }).listen(Number(port), '127.0.0.1')
}
