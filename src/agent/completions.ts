// A run in OpenAI's words, so that clients people already have can ask. Which documents were used stands beside the choices.
import Type, { type Static } from 'typebox'
import { Id, SEARCHED_MAX } from '../contracts/search.ts'
import { failure, retryAfterOf } from '../platform/errors.ts'
import { EARLIER_MAX } from './conversations.ts'
import { HEARTBEAT } from './follow.ts'
import { endOf } from './followups.ts'
import type { RunEvent } from './runs.ts'
import { Citation, FinishReason, QUESTION_CHARS_MAX, type Reply } from './schemas.ts'

/** Most messages of a history, which a client sends whole each time, and the longest of one, in characters. */
const MESSAGES_MAX = 2000
const CONTENT_CHARS_MAX = 100_000
const TOOLS_MAX = 128

/** What a stream ends with that is given up before its run has ended. */
const AWAY = failure('unavailable')

const OutputTokens = Type.Union([Type.Integer({ minimum: 1 }), Type.Null()])

const Part = Type.Object({ type: Type.Literal('text'), text: Type.String({ maxLength: CONTENT_CHARS_MAX }) })
const Content = Type.Union([
  Type.String({ maxLength: CONTENT_CHARS_MAX }),
  Type.Array(Part, { minItems: 1, maxItems: 32 }),
  Type.Null(),
])
/** Open, unlike our own bodies: these clients send much that has no meaning here. */
export const ChatRequest = Type.Object(
  {
    model: Type.String({ minLength: 1, maxLength: 200 }),
    messages: Type.Array(Type.Object({ role: Type.String({ maxLength: 32 }), content: Type.Optional(Content) }), {
      minItems: 1,
      maxItems: MESSAGES_MAX,
    }),
    tools: Type.Optional(
      Type.Union(
        [
          Type.Array(Type.Object({ function: Type.Optional(Type.Object({ name: Type.String() })) }), { maxItems: TOOLS_MAX }),
          Type.Null(),
        ],
        {
          description:
            'Those that /agent/tools lists may be used, here, on the way to the answer; functions of the client are never called',
        },
      ),
    ),
    tool_choice: Type.Optional(Type.Enum(['auto', 'none'], { description: 'Nothing can be promised to be called' })),
    n: Type.Optional(Type.Union([Type.Literal(1), Type.Null()], { description: 'One answer to each question' })),
    response_format: Type.Optional(
      Type.Union([Type.Object({ type: Type.Literal('text') }), Type.Null()], { description: 'Answers are text' }),
    ),
    max_tokens: Type.Optional(OutputTokens),
    max_completion_tokens: Type.Optional(OutputTokens),
    collection_ids: Type.Optional(
      Type.Array(Id, {
        minItems: 1,
        maxItems: SEARCHED_MAX,
        description: 'Not of OpenAI: where to search, all there is unless given',
      }),
    ),
    stream: Type.Optional(Type.Union([Type.Boolean(), Type.Null()])),
    stream_options: Type.Optional(Type.Union([Type.Object({ include_usage: Type.Optional(Type.Boolean()) }), Type.Null()])),
  },
  { title: 'ChatRequest' },
)
export type ChatRequest = Static<typeof ChatRequest>

const ChatUsage = Type.Object({
  prompt_tokens: Type.Integer(),
  completion_tokens: Type.Integer(),
  total_tokens: Type.Integer(),
})
export const Completion = Type.Object(
  {
    id: Type.String(),
    object: Type.Literal('chat.completion'),
    created: Type.Integer({ description: 'Seconds since 1970' }),
    model: Type.String(),
    choices: Type.Array(
      Type.Object({
        index: Type.Integer(),
        message: Type.Object({ role: Type.Literal('assistant'), content: Type.String(), refusal: Type.Null() }),
        logprobs: Type.Null(),
        finish_reason: FinishReason,
      }),
    ),
    usage: ChatUsage,
    citations: Type.Array(Citation),
    grounded: Type.Boolean(),
  },
  { title: 'Completion' },
)

export const ModelList = Type.Object({
  object: Type.Literal('list'),
  data: Type.Array(
    Type.Object({ id: Type.String(), object: Type.Literal('model'), created: Type.Integer(), owned_by: Type.String() }),
  ),
})

/** What the person said last, oldest first: the question, and before it as many as a conversation kept here gives, no longer than those. */
export function questionsOf({ messages }: ChatRequest): string[] {
  const said = messages.filter(({ role }) => role === 'user').slice(-EARLIER_MAX - 1)
  return said.map(({ content }, at) => (at < said.length - 1 ? endOf(text(content), QUESTION_CHARS_MAX) : text(content)))
}

/** Names of the tools it may be answered with: beside our own, those the request names; none when it wants none. */
export function wantedTools({ tools, tool_choice }: ChatRequest): string[] | undefined {
  if (tool_choice === 'none') return undefined
  return (tools ?? []).flatMap(({ function: its }) => (its ? [its.name] : []))
}

function text(content: ChatRequest['messages'][number]['content']): string {
  return typeof content === 'string' ? content : (content ?? []).map(part => part.text).join('\n')
}

/** The answer as one completion; `created` in seconds since 1970. */
export function completionOf(reply: Reply, created: number): Static<typeof Completion> {
  const message = { role: 'assistant' as const, content: reply.final_response, refusal: null }
  return {
    id: idOf(reply.run_id),
    object: 'chat.completion',
    created,
    model: reply.answerer,
    choices: [{ index: 0, message, logprobs: null, finish_reason: reply.finish_reason }],
    usage: usageOf(reply),
    citations: reply.citations,
    grounded: reply.grounded,
  }
}

interface LastWords {
  message: string
  code: string
  /** Seconds. */
  retry_after?: number
}

interface Streamed {
  runId: string
  model: string
  created: number
  includeUsage: boolean
}

/**
 * The events of a run as chunks of a completion; the last one brings the citations, and names the answerer it came from. A stream that ends
 * before its run does ends with an error, so that no client takes what it has for the whole.
 */
export async function* chunks(events: AsyncIterable<RunEvent | undefined>, { runId, model, created, includeUsage }: Streamed) {
  const head = { id: idOf(runId), object: 'chat.completion.chunk', created, model }
  const chunk = (delta: object, finish_reason: Reply['finish_reason'] | null = null, beside: object = {}) =>
    line({ ...head, choices: [{ index: 0, delta, logprobs: null, finish_reason }], ...beside })
  const failed = ({ message, code, retry_after }: LastWords) => line({ error: { message, code, type: code, retry_after } })
  let isOver = false
  for await (const one of events) {
    if (!one) yield HEARTBEAT
    else if (one.event === 'run') yield chunk({ role: 'assistant', content: '' })
    else if (one.event === 'delta') yield chunk({ content: (JSON.parse(one.data) as { text: string }).text })
    else if (one.event === 'done') {
      const reply = JSON.parse(one.data) as Reply
      isOver = true
      head.model = reply.answerer
      yield chunk({}, reply.finish_reason, { citations: reply.citations, grounded: reply.grounded })
      if (includeUsage) yield line({ ...head, choices: [], usage: usageOf(reply) })
    } else if (one.event === 'error' || one.event === 'cancelled') {
      isOver = true
      yield failed({ message: 'The request was cancelled', code: 'cancelled', ...(JSON.parse(one.data) as Partial<LastWords>) })
    }
  }
  const { code, message } = AWAY
  yield isOver ? 'data: [DONE]\n\n' : failed({ code, message, retry_after: retryAfterOf(AWAY) })
}

const line = (data: object) => `data: ${JSON.stringify(data)}\n\n`
const idOf = (runId: string) => `chatcmpl-${runId}`

function usageOf({ usage: { input_tokens, output_tokens } }: Reply): Static<typeof ChatUsage> {
  return { prompt_tokens: input_tokens, completion_tokens: output_tokens, total_tokens: input_tokens + output_tokens }
}
