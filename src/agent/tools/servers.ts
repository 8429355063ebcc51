// The operator's tool servers: kept connected, started again with growing pauses when they die, and offered as tools named
// `<server>__<tool>`. A call is audited before it is made, checked against the tool's own schema, and bounded in time and in what it gives.
import { setTimeout as pause } from 'node:timers/promises'
import { failure } from '../../platform/errors.ts'
import { type Connection, connectMcp, type OfferedTool } from '../mcp.ts'
import type { ToolServer } from './server-list.ts'
import type { Tool, ToolContext } from './tool.ts'

/** Pauses before a server is started again, in milliseconds: the first, the longest, and how long it has to hold for the first to be next. */
const PAUSE_MS = 250
const PAUSE_MS_MAX = 60_000
const STEADY_MS = 60_000
/** What a model is told of a tool, and what a tool tells it, at most, in characters. */
const DESCRIPTION_CHARS_MAX = 1000
const RESULT_CHARS_MAX = 64 * 1024
/** Largest schema of arguments, in characters: it goes into every prompt. */
const SCHEMA_CHARS_MAX = 16 * 1024

/** A call of a tool, as it is written down. */
export interface ToolCall {
  user_id: string
  request_id: string
  target: string
  outcome: 'allowed' | 'denied'
}

interface Parts {
  list: Map<string, ToolServer>
  version: string
  /** Writes a call down; it is not made when that fails. */
  audit(call: ToolCall): Promise<void>
  log: { warn: (context: object, message: string) => void }
}

export type ToolServers = ReturnType<typeof openServers>

export function openServers({ list, version, audit, log }: Parts) {
  const stopping = new AbortController()
  const kept = [...list].map(([name, server]) => keep(name, server))

  function keep(name: string, server: ToolServer) {
    let connection: Connection | undefined
    let tools: Tool[] = []

    async function live() {
      for (let wait = PAUSE_MS; !stopping.signal.aborted; wait = Math.min(2 * wait, PAUSE_MS_MAX)) {
        const since = performance.now()
        try {
          const connected = await connectMcp(server, version, stopping.signal)
          connection = connected
          if (stopping.signal.aborted) break
          tools = toolsOf(name, server, connected)
          log.warn({ server: name, said: await connected.closed }, 'a tool server has gone')
        } catch (error) {
          log.warn({ server: name, err: error }, 'a tool server could not be reached')
        }
        connection = undefined
        tools = []
        if (performance.now() - since > STEADY_MS) wait = PAUSE_MS
        await pause(wait * (1 + Math.random()), undefined, { signal: stopping.signal, ref: false }).catch(() => undefined)
      }
    }
    const living = live()
    return {
      names: server.tools.map(tool => `${name}__${tool}`),
      tools: () => tools,
      async close() {
        await connection?.close()
        await living
      },
    }
  }

  function toolsOf(name: string, server: ToolServer, connection: Connection): Tool[] {
    return server.tools.flatMap(wanted => {
      const tool = connection.tools.find(one => one.name === wanted)
      const fits = tool && JSON.stringify(tool.parameters).length <= SCHEMA_CHARS_MAX
      if (!fits)
        log.warn({ server: name, tool: wanted }, 'a tool that is allowed is not offered by its server, or not as a tool can be')
      return fits ? [toolOf(`${name}__${wanted}`, tool, server, connection)] : []
    })
  }

  function toolOf(
    name: string,
    { name: its, description, parameters, fault }: OfferedTool,
    server: ToolServer,
    { call }: Connection,
  ): Tool {
    return {
      name,
      description: description.slice(0, DESCRIPTION_CHARS_MAX).toWellFormed(),
      parameters,
      permission: server.permission,
      async run(given, { user_id, request_id, signal }: ToolContext) {
        const wrong = fault(given)
        await audit({ user_id, request_id, target: name, outcome: wrong ? 'denied' : 'allowed' })
        if (wrong)
          throw failure('invalid_request', `The arguments of ${name} are not valid: ${wrong.slice(0, DESCRIPTION_CHARS_MAX)}`)
        const result = await call(its, given as Record<string, unknown>, server.timeout_s * 1000, signal)
        return { ...result, text: result.text.slice(0, RESULT_CHARS_MAX).toWellFormed() }
      },
    }
  }

  return {
    /** Tools of the servers that are there just now. */
    tools: (): Tool[] => kept.flatMap(({ tools }) => tools()),
    /** Names of all tools the operator allows, also those of a server that is away. */
    names: (): string[] => kept.flatMap(({ names }) => names),
    async close() {
      stopping.abort()
      await Promise.all(kept.map(one => one.close()))
    },
  }
}
