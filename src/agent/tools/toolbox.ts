// Every tool there is, and which of them a caller may use: those her rights allow and, of the operator's servers, only those a question
// names.
import type { Permission } from '../../contracts/claims.ts'
import { failure } from '../../platform/errors.ts'
import type { Evidence } from '../evidence.ts'
import { openCalculator } from './calculator.ts'
import { currentTime } from './clock.ts'
import { readDocument, searchDocuments } from './documents.ts'
import type { ToolServers } from './servers.ts'
import type { Tool } from './tool.ts'

export function openToolbox({ evidence, servers }: { evidence: Evidence; servers: ToolServers }) {
  const calculator = openCalculator()
  const documents = [searchDocuments(evidence), readDocument(evidence)]
  const own = [...documents, calculator.tool, currentTime]
  const permitted = (permissions: readonly Permission[]) => (tool: Tool) => permissions.includes(tool.permission)

  return {
    /** The tools that reach documents. */
    documents,

    /** All tools that are there and that these rights allow. */
    allowed: (permissions: readonly Permission[]): Tool[] => [...own, ...servers.tools()].filter(permitted(permissions)),

    /**
     * The tools of these names; without names our own that the rights allow. Throws `invalid_request` for a name that is unknown,
     * `forbidden` for one that takes another right, `unavailable` while its server is away.
     */
    select(names: string[] | undefined, permissions: readonly Permission[]): Tool[] {
      if (!names) return own.filter(permitted(permissions))
      return [...new Set(names)].map(name => {
        const tool = [...own, ...servers.tools()].find(one => one.name === name)
        if (!tool && servers.names().includes(name)) throw failure('unavailable')
        if (!tool) throw failure('invalid_request', `There is no tool called "${name}"; GET /tools lists those you may use`)
        if (!permitted(permissions)(tool)) throw failure('forbidden')
        return tool
      })
    },

    /** Our own tools and those of these names, as far as they are there and the rights allow; none at all without a list. */
    known(names: string[] | undefined, permissions: readonly Permission[]): Tool[] {
      if (!names) return []
      return [...own, ...servers.tools().filter(({ name }) => names.includes(name))].filter(permitted(permissions))
    },

    async close() {
      await Promise.all([calculator.close(), servers.close()])
    },
  }
}
