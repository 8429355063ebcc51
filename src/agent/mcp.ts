// The Model Context Protocol, both ends of it. As a server it lists our tools to a client and calls them, one request at a time and
// keeping nothing between them, so that any replica may serve each. As a client it speaks to a tool server of the operator, within bounds
// of time and size, and tells it nothing of who asks.
import { Client } from '@modelcontextprotocol/sdk/client/index.js'
import { StdioClientTransport } from '@modelcontextprotocol/sdk/client/stdio.js'
import { StreamableHTTPClientTransport } from '@modelcontextprotocol/sdk/client/streamableHttp.js'
import { Server } from '@modelcontextprotocol/sdk/server/index.js'
import { WebStandardStreamableHTTPServerTransport } from '@modelcontextprotocol/sdk/server/webStandardStreamableHttp.js'
import {
  CallToolRequestSchema,
  type CallToolResult,
  type ContentBlock,
  ErrorCode,
  ListToolsRequestSchema,
  McpError,
} from '@modelcontextprotocol/sdk/types.js'
import { AjvJsonSchemaValidator } from '@modelcontextprotocol/sdk/validation/ajv'
import { asFailure, failure } from '../platform/errors.ts'
import type { Tool, ToolResult } from './tools/tool.ts'

/** Longest message of a tool server, in bytes. */
const MESSAGE_BYTES_MAX = 1024 * 1024
/** Longest wait for a tool server to start and list its tools, in milliseconds, and most pages of that list. */
const CONNECT_MS_MAX = 20_000
const PAGES_MAX = 10
/** Longest text of an error that is passed on, in characters. */
const ERROR_CHARS_MAX = 1000

/** Runs one tool with the caller's rights; throws failures. */
export type Call = (tool: Tool, given: unknown) => Promise<ToolResult>

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
  server.setRequestHandler(CallToolRequestSchema, async ({ params }): Promise<CallToolResult> => {
    try {
      const tool = tools.find(({ name }) => name === params.name)
      if (!tool) throw failure('invalid_request', `There is no tool called "${params.name}"`)
      const { text, structured } = await call(tool, params.arguments ?? {})
      if (!structured) return { content: [{ type: 'text', text }] }
      return { content: [{ type: 'text', text: JSON.stringify(structured) }], structuredContent: { ...structured } }
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

/** Where a tool server is: a program that speaks over its standard streams, or an address. */
export type ServerAddress =
  | { command: string; args?: string[]; env?: Record<string, string>; cwd?: string }
  | { url: string; headers?: Record<string, string> }

export interface OfferedTool {
  name: string
  description: string
  /** JSON schema. */
  parameters: object
  /** What is wrong with arguments, if anything is. */
  fault(given: unknown): string | undefined
}

export interface Connection {
  tools: OfferedTool[]
  /** Throws failures; `failed` is set when the tool itself says so. */
  call(name: string, given: Record<string, unknown>, msMax: number, signal: AbortSignal): Promise<{ text: string; failed?: true }>
  /** Resolves when the connection is no more, with the last words the program said on its error stream. */
  closed: Promise<string>
  close(): Promise<void>
}

/** Connects to a tool server and learns its tools. A program is given the variables of its `env`, PATH and HOME, and nothing else of ours. */
export const connectMcp = (at: ServerAddress, version: string, signal: AbortSignal): Promise<Connection> =>
  within(signal, own => connected(at, version, own))

/** Does `work` with a signal that follows `signal` while it lasts: the SDK never lets go of the one it is given. */
async function within<T>(signal: AbortSignal, work: (own: AbortSignal) => Promise<T>): Promise<T> {
  const own = new AbortController()
  const abort = () => own.abort(signal.reason)
  if (signal.aborted) abort()
  signal.addEventListener('abort', abort)
  try {
    return await work(own.signal)
  } finally {
    signal.removeEventListener('abort', abort)
  }
}

async function connected(at: ServerAddress, version: string, signal: AbortSignal): Promise<Connection> {
  const client = new Client({ name: 'agent-backend', version }, { capabilities: {} })
  const breakOff = () => void client.close().catch(() => undefined)
  const transport = 'command' in at ? program(at) : address(at, breakOff)
  const lastWords = transport instanceof StdioClientTransport ? tailOf(transport) : () => ''
  const closed = new Promise<string>(resolve => {
    client.onclose = () => resolve(lastWords())
  })
  const bounds = { timeout: CONNECT_MS_MAX, maxTotalTimeout: CONNECT_MS_MAX, signal }
  try {
    await client.connect(transport, bounds)
    const tools: OfferedTool[] = []
    let cursor: string | undefined
    for (let page = 0; page < PAGES_MAX; page++) {
      const listed = await client.listTools({ cursor }, bounds)
      tools.push(...listed.tools.flatMap(({ name, description = '', inputSchema }) => offered(name, description, inputSchema)))
      cursor = listed.nextCursor
      if (!cursor) break
    }
    return {
      tools,
      closed,
      close: () => client.close(),
      async call(name, given, msMax, signal) {
        const ask = (own: AbortSignal) =>
          client.callTool({ name, arguments: given }, undefined, { timeout: msMax, maxTotalTimeout: msMax, signal: own })
        const result = await within(signal, ask).catch(error => {
          if (signal.aborted) throw failure('cancelled', undefined, { cause: error })
          const code = error instanceof McpError ? error.code : undefined
          if (code === ErrorCode.RequestTimeout) throw failure('deadline', undefined, { cause: error })
          // Whatever is wrong below the protocol, the next call has a new connection.
          if (code === undefined || code === ErrorCode.ConnectionClosed) {
            breakOff()
            throw failure('unavailable', undefined, { cause: error })
          }
          throw failure('invalid_request', String(error.message).slice(0, ERROR_CHARS_MAX), { cause: error })
        })
        return { text: textOf(result as CallToolResult), ...(result.isError === true && { failed: true as const }) }
      },
    }
  } catch (error) {
    await client.close()
    throw error
  }
}

function program({ command, args = [], env = {}, cwd }: Extract<ServerAddress, { command: string }>) {
  return new StdioClientTransport({ command, args, env, cwd, stderr: 'pipe', maxBufferSize: MESSAGE_BYTES_MAX })
}

function address({ url, headers = {} }: Extract<ServerAddress, { url: string }>, breakOff: () => void) {
  return new StreamableHTTPClientTransport(new URL(url), {
    requestInit: { headers },
    fetch: async (to, init) => {
      const reply = await fetch(to, { ...init, redirect: 'error' })
      const { status, statusText, headers } = reply
      const isStream = /^text\/event-stream\b/i.test(reply.headers.get('content-type') ?? '')
      return new Response(reply.body?.pipeThrough(bounded(isStream, breakOff)), { status, statusText, headers })
    },
  })
}

/** Passes on a message, or a stream of them, each within bounds; past them, breaks the connection off: the client would wait for the rest. */
function bounded(isStream: boolean, breakOff: () => void): TransformStream<Uint8Array, Uint8Array> {
  let bytes = 0
  return new TransformStream({
    transform(chunk, controller) {
      // In a stream of events an empty line ends each.
      const end = isStream ? Buffer.from(chunk.buffer, chunk.byteOffset, chunk.length).lastIndexOf('\n\n') : -1
      bytes = end < 0 ? bytes + chunk.length : chunk.length - end
      if (bytes <= MESSAGE_BYTES_MAX) return controller.enqueue(chunk)
      controller.error(new Error('The tool server sent more than is taken'))
      breakOff()
    },
  })
}

/** Follows the error stream of a program, and gives the last of it. */
function tailOf({ stderr }: StdioClientTransport): () => string {
  let tail = ''
  stderr?.on('data', chunk => {
    tail = `${tail}${chunk}`.slice(-ERROR_CHARS_MAX)
  })
  return () => tail
}

function offered(name: string, description: string, inputSchema: object): OfferedTool[] {
  // Told by these two, a validator would fetch or share schemas; ours stand for themselves.
  const { $schema, $id, ...parameters } = inputSchema as Record<string, unknown>
  try {
    const check = new AjvJsonSchemaValidator().getValidator(parameters)
    const fault = (given: unknown) => {
      const { valid, errorMessage } = check(given)
      return valid ? undefined : errorMessage
    }
    return [{ name, description, parameters, fault }]
  } catch {
    return []
  }
}

function textOf({ content, structuredContent }: CallToolResult): string {
  const parts = content.map((one: ContentBlock) => {
    if (one.type === 'text') return one.text
    return one.type === 'resource' && 'text' in one.resource ? one.resource.text : `(${one.type}, left out)`
  })
  return parts.length === 0 && structuredContent ? JSON.stringify(structuredContent) : parts.join('\n')
}
