// The tools a question may be answered with, as clients see them.
import { SearchRequest } from '../contracts/search.ts'

interface Tool {
  name: string
  description: string
  /** JSON schema of the arguments. */
  parameters: Record<string, unknown>
}

export const tools: Tool[] = [
  {
    name: 'search_documents',
    description: "Finds passages in the caller's own documents",
    parameters: { ...SearchRequest },
  },
]
