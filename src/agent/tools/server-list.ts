// The tool servers an operator allows, as written down in the file MCP_SERVERS names: the shape other MCP clients read, with two fields more,
// which of a server's tools may be used and which right it takes. What is not listed is not offered.
import { readFile } from 'node:fs/promises'
import Type, { type Static } from 'typebox'
import Value from 'typebox/value'
import { Permission } from '../../contracts/claims.ts'

const SERVERS_MAX = 16
const closed = { additionalProperties: false }
const Texts = Type.Record(Type.String(), Type.String())
const common = {
  tools: Type.Array(Type.String({ pattern: '^[A-Za-z0-9_-]{1,48}$' }), { minItems: 1, maxItems: 64 }),
  permission: Permission,
  /** Longest call, in seconds. */
  timeout_s: Type.Integer({ minimum: 1, maximum: 60, default: 20 }),
}
const Program = Type.Object(
  {
    command: Type.String({ minLength: 1 }),
    args: Type.Optional(Type.Array(Type.String())),
    env: Type.Optional(Texts),
    cwd: Type.Optional(Type.String()),
    ...common,
  },
  closed,
)
const Address = Type.Object({ url: Type.String({ pattern: '^https?://' }), headers: Type.Optional(Texts), ...common }, closed)
const NAME = '^[a-z0-9]+(-[a-z0-9]+)*$'
const ServerList = Type.Object(
  {
    mcpServers: Type.Record(Type.String({ pattern: NAME, maxLength: 14 }), Type.Unknown(), {
      ...closed,
      maxProperties: SERVERS_MAX,
    }),
  },
  closed,
)

export type ToolServer = Static<typeof Program> | Static<typeof Address>

/** Reads the list; none when no file is named. Throws one Error that names every fault. */
export async function readServerList(path: string): Promise<Map<string, ToolServer>> {
  if (path === '') return new Map()
  const wrong = (what: string, cause?: unknown) =>
    new Error(`The file MCP_SERVERS names is wrong: ${what}. Correct it and start again.`, { cause })
  const given: unknown = await readFile(path, 'utf8')
    .then(JSON.parse)
    .catch(cause => {
      throw wrong(`it cannot be read as JSON (${cause.message})`, cause)
    })
  const faults = faultsOf(ServerList, given, '')
  const servers = Object.entries(faults.length > 0 ? {} : (given as Static<typeof ServerList>).mcpServers).map(
    ([name, server]) => {
      const schema = typeof server === 'object' && server !== null && 'url' in server ? Address : Program
      const whole = Value.Default(schema, server)
      faults.push(...faultsOf(schema, whole, `/mcpServers/${name}`))
      return [name, whole as ToolServer] as const
    },
  )
  if (faults.length > 0) throw wrong(faults.join('; '))
  return new Map(servers)
}

function faultsOf(schema: Type.TSchema, given: unknown, at: string): string[] {
  return Value.Errors(schema, given).map(({ instancePath, message }) => `${at}${instancePath || '/'} ${message}`)
}
