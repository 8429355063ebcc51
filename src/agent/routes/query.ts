// The question, asked in the agent's own words: answered as one reply, or as a stream of what happens until then.
import type { FastifyRequest } from 'fastify'
import type { Routes } from '../../platform/service.ts'
import { replyOf } from '../endings.ts'
import { serverSent } from '../follow.ts'
import type { House } from '../plugin.ts'
import { OUTPUT_TOKENS, Question, Reply } from '../schemas.ts'
import { askerOf, followed, leaving, sendDone, sendStream } from './stream.ts'

export async function queryRoutes(app: Routes, house: House) {
  const { config, conversations, execution, toolbox, alive } = house

  app.post(
    '/query',
    {
      config: { access: 'write:agent', limit: 'agent' },
      schema: {
        description:
          'With `Accept: text/event-stream`, a stream of `run`, `step`, `passages`, `delta`, `citation` and one last event.',
        body: Question,
        response: { 200: Reply },
      },
    },
    async (request, reply) => {
      const { body, caller } = request
      const tools = toolbox.select(body.tools, caller.permissions)
      const isNew = body.conversation_id === undefined
      const conversation = { id: body.conversation_id ?? conversations.next(), isNew }
      const earlier = isNew ? [] : await conversations.earlier(caller.user_id, conversation.id)
      const ask = {
        question: body.user_request,
        earlier,
        asker: askerOf(request),
        tools,
        outputTokensMax: body.max_output_tokens ?? OUTPUT_TOKENS,
        mode: body.mode ?? 'auto',
        topK: body.top_k ?? config.RAG_TOP_K_RESULTS,
        ...(body.collection_ids && { collectionIds: body.collection_ids }),
      }
      const left = leaving(reply)
      const isFollowed = wantsStream(request)
      const { id, ...ends } = await execution.begin({
        userId: caller.user_id,
        ask,
        conversation,
        isFollowed,
        left,
        alive: () => alive(caller),
      })
      if (isFollowed) return sendStream(reply, serverSent(followed(house, reply, { runId: id, left })))
      const run = { run_id: id, state: 'done' as const, conversation_id: conversation.id, question: ask.question }
      return sendDone(reply, ends, ending => replyOf(run, ending))
    },
  )
}

function wantsStream({ headers }: FastifyRequest): boolean {
  return /\btext\/event-stream\b/i.test(headers.accept ?? '')
}
