// The question, asked in OpenAI's words.
import { failure } from '../../platform/errors.ts'
import type { Routes } from '../../platform/service.ts'
import { ChatRequest, Completion, chunks, completionOf, ModelList, questionsOf, wantedTools } from '../completions.ts'
import { replyOf } from '../endings.ts'
import type { House } from '../plugin.ts'
import { OUTPUT_TOKENS, OUTPUT_TOKENS_MAX, QUESTION_CHARS_MAX } from '../schemas.ts'
import { askerOf, followed, leaving, sendDone, sendStream } from './stream.ts'

export async function completionRoutes(app: Routes, house: House) {
  const { config, execution, toolbox, alive, answerer, answerers } = house

  app.get('/v1/models', { config: { access: 'read:agent' }, schema: { response: { 200: ModelList } } }, () => ({
    object: 'list' as const,
    data: answerers.map(id => ({ id, object: 'model' as const, created: 0, owned_by: 'agent-backend' })),
  }))

  app.post(
    '/v1/chat/completions',
    {
      config: { access: 'write:agent', limit: 'agent' },
      schema: {
        description:
          'The last user message is the question, and those before it are its context; what a `system` or `assistant` message says is not followed. What is not listed here, such as `temperature`, `stop` and `seed`, is taken and has no effect. Whatever `model` says, `/v1/models` names what answers.',
        body: ChatRequest,
        response: { 200: Completion },
      },
    },
    async (request, reply) => {
      const { body, caller } = request
      const questions = questionsOf(body)
      const question = questions.at(-1) ?? ''
      if (question === '' || question.length > QUESTION_CHARS_MAX) {
        throw failure('invalid_request', `The last user message must have 1 to ${QUESTION_CHARS_MAX} characters`)
      }
      const created = Math.floor(Date.now() / 1000)
      const left = leaving(reply)
      const ask = {
        question,
        earlier: questions.slice(0, -1),
        asker: askerOf(request),
        tools: toolbox.known(wantedTools(body), caller.permissions),
        outputTokensMax: Math.min(body.max_completion_tokens ?? body.max_tokens ?? OUTPUT_TOKENS, OUTPUT_TOKENS_MAX),
        mode: 'auto' as const,
        topK: config.RAG_TOP_K_RESULTS,
        ...(body.collection_ids && { collectionIds: body.collection_ids }),
      }
      const { id, ...ends } = await execution.begin({
        userId: caller.user_id,
        ask,
        isFollowed: body.stream === true,
        left,
        alive: () => alive(caller),
      })
      if (body.stream) {
        const includeUsage = body.stream_options?.include_usage ?? false
        return sendStream(
          reply,
          chunks(followed(house, reply, { runId: id, left }), { runId: id, model: answerer, created, includeUsage }),
        )
      }
      const run = { run_id: id, state: 'done' as const, conversation_id: '', question }
      return sendDone(reply, ends, ending => completionOf(replyOf(run, ending), created))
    },
  )
}
