// The Model Context Protocol: lists the tools to a client and calls them, one request at a time. Nothing is kept between requests, so any
// replica may serve each of them.
import { Server } from '@modelcontextprotocol/sdk/server/index.js'
import { WebStandardStreamableHTTPServerTransport } from '@modelcontextprotocol/sdk/server/webStandardStreamableHttp.js'
import { CallToolRequestSchema, ListToolsRequestSchema } from '@modelcontextprotocol/sdk/types.js'
import { asFailure, failure } from '../platform/errors.ts'
import type { Tool } from './tools.ts'

/** Runs one tool with the caller's rights; throws failures. */
export type Call = (tool: Tool, given: unknown) => Promise<object>

/** Answers one request of the protocol (its streamable HTTP transport, without sessions) whose JSON body is `body`. */
export async function answerMcp(request: Request, body: unknown, tools: Tool[], version: string, call: Call): Promise<Response> {
  const server = new Server({ name: 'agent-backend', version }, { capabilities: { tools: {} } })
  server.setRequestHandler(ListToolsRequestSchema, () => ({
    tools: tools.map(({ name, description, parameters }) => ({
      name,
      description,
      inputSchema: { ...(JSON.parse(JSON.stringify(parameters)) as object), type: 'object' as const },
    })),
  }))
  server.setRequestHandler(CallToolRequestSchema, async ({ params }) => {
    try {
      const tool = tools.find(({ name }) => name === params.name)
      if (!tool) throw failure('invalid_request', `There is no tool called "${params.name}"`)
      const result = await call(tool, params.arguments ?? {})
      return { content: [{ type: 'text', text: JSON.stringify(result) }], structuredContent: { ...result } }
    } catch (error) {
      // What goes wrong in a tool is told to the model, which may mend its arguments.
      const { code, message } = asFailure(error)
      return { isError: true, content: [{ type: 'text', text: `${code}: ${message}` }] }
    }
  })
  const transport = new WebStandardStreamableHTTPServerTransport({ enableJsonResponse: true })
  await server.connect(transport)
  return transport.handleRequest(request, { parsedBody: body })
}
