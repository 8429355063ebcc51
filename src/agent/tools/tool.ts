// A tool, as the answering flow sees every one of them, whoever made it: what a model is told of it, and how it runs as the caller.
import type { TSchema } from 'typebox'
import type { Permission } from '../../contracts/claims.ts'
import type { Passage } from '../../contracts/search.ts'
import type { Asker } from '../evidence.ts'

/** On whose behalf a tool runs. It has that caller's rights and no more. */
export interface ToolContext {
  asker: Asker
  user_id: string
  request_id: string
  signal: AbortSignal
  /** Where the question is to be looked up, when it says so. */
  collection_ids?: string[]
}

/** What a tool gives: a text for the model, and the passages that text is made of, if it is made of documents. */
export interface ToolResult {
  text: string
  passages?: Passage[]
  /** The same for programs, where there is more to say than the text does. */
  structured?: object
  /** Set when the tool ran and says itself that it did not work; the text says why. */
  failed?: true
}

export interface Tool {
  name: string
  description: string
  /** JSON schema of the arguments. They are checked against it before the tool runs. */
  parameters: TSchema
  /** The right it takes to use it. */
  permission: Permission
  /** Set where arguments go nowhere, so that a model may reckon with numbers it read in documents. */
  numbersFromDocuments?: true
  /** Throws failures; what they say is told to the model. */
  run(args: unknown, context: ToolContext): Promise<ToolResult>
}
