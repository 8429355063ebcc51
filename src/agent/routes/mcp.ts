// The agent as tools of another program, over the Model Context Protocol, with the caller's rights and no more.
import Type from 'typebox'
import { failure } from '../../platform/errors.ts'
import { version } from '../../platform/health.ts'
import type { Routes } from '../../platform/service.ts'
import { replyOf } from '../endings.ts'
import { answerMcp } from '../mcp.ts'
import type { House } from '../plugin.ts'
import { OUTPUT_TOKENS, Question } from '../schemas.ts'
import { demand } from '../tools/arguments.ts'
import type { Tool } from '../tools/tool.ts'
import { askerOf, demandDone, leaving } from './stream.ts'

const Asked = Type.Pick(Question, ['user_request', 'collection_ids', 'top_k', 'mode'], { additionalProperties: false })

export async function mcpRoutes(app: Routes, { config, execution, toolbox, alive }: House) {
  const schema = { description: 'Model Context Protocol, streamable HTTP without sessions.', body: Type.Object({}) }

  app.post('/mcp', { config: { access: 'authenticated', limit: 'agent' }, schema }, async (request, reply) => {
    const { caller, body, headers } = request
    const asker = askerOf(request)
    const left = leaving(reply)

    const ask: Tool = {
      name: 'ask',
      description: "Answers a question from the caller's own documents, with citations that were checked.",
      parameters: Asked,
      permission: 'write:agent',
      async run(given) {
        const { user_request: question, collection_ids, top_k, mode = 'auto' } = demand('ask', Asked, given)
        const within = { topK: top_k ?? config.RAG_TOP_K_RESULTS, collectionIds: collection_ids }
        const tools = toolbox.select(undefined, caller.permissions)
        const asked = { question, earlier: [], asker, mode, ...within, tools, outputTokensMax: OUTPUT_TOKENS }
        const { id, ended } = await execution.begin({
          userId: caller.user_id,
          ask: asked,
          isFollowed: false,
          left,
          alive: () => alive(caller),
        })
        const structured = replyOf({ run_id: id, state: 'done', conversation_id: '', question }, demandDone(await ended))
        return { text: structured.final_response, structured }
      },
    }

    async function call(tool: Tool, given: unknown) {
      if (!caller.permissions.includes(tool.permission)) throw failure('forbidden')
      return tool.run(given, { asker, user_id: caller.user_id, request_id: request.id, signal: left })
    }

    const copied = Object.entries(headers).filter((entry): entry is [string, string] => typeof entry[1] === 'string')
    const asked = new Request(new URL('/mcp', config.AGENT_SERVICE_URL), { method: 'POST', headers: copied })
    const answered = await answerMcp(asked, body, [...toolbox.documents, ask], version, call)
    return reply.send(answered)
  })
}
