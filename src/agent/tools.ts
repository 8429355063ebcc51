// The tools there are: what clients see of them, which right each needs, and how it runs. Arguments are checked before anything runs, and
// everything runs as the caller.
import Type, { type Static, type TSchema } from 'typebox'
import Value from 'typebox/value'
import type { Permission } from '../contracts/claims.ts'
import { Id, SearchRequest } from '../contracts/search.ts'
import { failure } from '../platform/errors.ts'
import type { Asker, Evidence } from './evidence.ts'

export interface Tool {
  name: string
  description: string
  /** JSON schema of the arguments. */
  parameters: TSchema
  permission: Permission
}

const ReadRequest = Type.Object(
  {
    document_id: Id,
    version: Type.Optional(Type.String({ pattern: '^[0-9a-f]{64}$', description: 'The newest, unless named' })),
    start_byte: Type.Optional(Type.Integer({ minimum: 0, default: 0 })),
  },
  { additionalProperties: false },
)

export const searchDocuments: Tool = {
  name: 'search_documents',
  description: "Finds passages in the caller's own documents, the best first.",
  parameters: SearchRequest,
  permission: 'read:rag',
}
export const readDocument: Tool = {
  name: 'read_document',
  description: 'Reads the text of a document from a byte on; `end_byte` of the result is where the next part begins.',
  parameters: ReadRequest,
  permission: 'read:rag',
}

/** Checks and runs one of the two tools above. Throws a failure that says what is wrong with the arguments. */
export async function run(evidence: Evidence, asker: Asker, tool: Tool, given: unknown): Promise<object> {
  demand(tool, given)
  if (tool === searchDocuments) return { passages: await evidence.search(asker, given as SearchRequest) }
  const { document_id, version, start_byte = 0 } = given as Static<typeof ReadRequest>
  return evidence.read(asker, { document_id, version, start_byte })
}

/** Throws unless the arguments are what the tool takes. */
export function demand({ name, parameters }: Tool, given: unknown) {
  const [fault] = Value.Errors(parameters, given)
  if (fault)
    throw failure('invalid_request', `The arguments of ${name} are not valid: ${fault.instancePath || '/'} ${fault.message}`)
}
