// The bodies the agent takes and gives, as in the HTTP contract.
import Type, { type Static } from 'typebox'
import { type FailureCode, failures } from '../contracts/failure.ts'
import { Id, SEARCHED_MAX, TOP_K_MAX } from '../contracts/search.ts'
import { reasons } from './models/model.ts'

const closed = { additionalProperties: false }
const Time = Type.String({ format: 'date-time' })
export const ById = Type.Object({ id: Id })

export const QUESTION_CHARS_MAX = 8000
/** Most tokens of an answer, and how many may be used when nothing is said. */
export const OUTPUT_TOKENS_MAX = 4096
export const OUTPUT_TOKENS = 1024
const PAGE_MAX = 100

export const Mode = Type.Enum(['auto', 'documents', 'chat'])
export type Mode = Static<typeof Mode>

export const Question = Type.Object(
  {
    user_request: Type.String({ minLength: 1, maxLength: QUESTION_CHARS_MAX }),
    conversation_id: Type.Optional(Id),
    collection_ids: Type.Optional(Type.Array(Id, { minItems: 1, maxItems: SEARCHED_MAX })),
    top_k: Type.Optional(Type.Integer({ minimum: 1, maximum: TOP_K_MAX })),
    mode: Type.Optional(Mode),
    tools: Type.Optional(
      Type.Array(Type.String({ minLength: 1, maxLength: 128 }), {
        maxItems: 32,
        description: 'Names of tools that may be used after the search every question begins with; all of our own, unless given',
      }),
    ),
    max_output_tokens: Type.Optional(Type.Integer({ minimum: 1, maximum: OUTPUT_TOKENS_MAX })),
    disable_databases: Type.Optional(Type.Boolean({ description: 'Accepted for older clients; without effect' })),
    disable_sql_blocking: Type.Optional(Type.Boolean({ description: 'Accepted for older clients; without effect' })),
  },
  { ...closed, title: 'Question' },
)
export type Question = Static<typeof Question>

export const Citation = Type.Object(
  {
    marker: Type.String({ description: 'As it stands in the answer' }),
    document_id: Type.String(),
    version: Type.String({ description: 'SHA-256 of the canonical text' }),
    title: Type.String(),
    collection_id: Type.String(),
    start_byte: Type.Integer({ minimum: 0 }),
    end_byte: Type.Integer({ minimum: 0, description: 'Exclusive' }),
    quote: Type.String({ description: 'Exactly the bytes start_byte to end_byte of the canonical text' }),
    href: Type.String({ description: 'Where a GET with `Range: bytes={start_byte}-{end_byte − 1}` gives the quote' }),
    page: Type.Optional(Type.Integer()),
    heading: Type.Optional(Type.String()),
    score: Type.Number(),
  },
  { title: 'Citation' },
)
export type Citation = Static<typeof Citation>

export const Step = Type.Object({
  tool: Type.String(),
  arguments: Type.Record(Type.String(), Type.Unknown()),
  ok: Type.Boolean(),
  ms: Type.Integer({ minimum: 0 }),
})
export type Step = Static<typeof Step>

export const Usage = Type.Object({ input_tokens: Type.Integer({ minimum: 0 }), output_tokens: Type.Integer({ minimum: 0 }) })
export type Usage = Static<typeof Usage>

const Fallback = Type.Object({ answerer: Type.String(), reason: Type.Enum([...reasons]) })
export type Fallback = Static<typeof Fallback>

export const FinishReason = Type.Enum(['stop', 'length'], {
  description: '`length`: a language model was ended before it had finished',
})

export const Reply = Type.Object(
  {
    run_id: Type.String(),
    conversation_id: Type.String(),
    original_request: Type.String(),
    final_response: Type.String(),
    final_answer: Type.String({ description: 'The same as `final_response`, for older clients' }),
    finish_reason: FinishReason,
    grounded: Type.Boolean({
      description:
        'Every claim carries a citation whose quote was compared with its document byte for byte. Of a language model’s sentence its numbers, most of its words and whether it denies were compared with the quote; the rest is for a reader',
    }),
    answerer: Type.String(),
    fallbacks: Type.Optional(Type.Array(Fallback, { description: 'Answerers that were asked before and did not answer' })),
    citations: Type.Array(Citation),
    steps: Type.Array(Step),
    usage: Usage,
    execution_time: Type.Number({ description: 'Seconds' }),
  },
  { title: 'Reply' },
)
export type Reply = Static<typeof Reply>

export const RunView = Type.Object(
  {
    run_id: Type.String(),
    state: Type.Enum(['running', 'done', 'error', 'cancelled']),
    conversation_id: Type.String(),
    result: Type.Union([Reply, Type.Null()]),
    failure: Type.Union([Type.Enum(Object.keys(failures) as FailureCode[]), Type.Null()]),
    usage: Type.Union([Usage, Type.Null()]),
  },
  { title: 'Run' },
)

const Message = Type.Object({
  role: Type.Enum(['user', 'assistant']),
  content: Type.String(),
  citations: Type.Array(Citation),
  grounded: Type.Optional(Type.Boolean()),
  run_id: Type.String(),
  created_at: Time,
})
const Head = { id: Type.String(), title: Type.String(), created_at: Time, updated_at: Time }
export const Conversation = Type.Object({ ...Head, messages: Type.Array(Message) }, { title: 'Conversation' })
export type Conversation = Static<typeof Conversation>
export const ConversationList = Type.Object({
  conversations: Type.Array(Type.Object(Head)),
  next_cursor: Type.Union([Type.String(), Type.Null()]),
})
export type ConversationList = Static<typeof ConversationList>
export const Page = Type.Object(
  {
    cursor: Type.Optional(Type.String({ pattern: '^\\d{1,16}-[0-9a-f]{32}$' })),
    limit: Type.Optional(Type.Integer({ minimum: 1, maximum: PAGE_MAX })),
  },
  closed,
)

export const ToolList = Type.Object({
  tools: Type.Array(
    Type.Object({ name: Type.String(), description: Type.String(), parameters: Type.Record(Type.String(), Type.Unknown()) }),
  ),
})

const Tokens = Type.Integer({ minimum: 0 })
export const UsageByDay = Type.Object(
  {
    tokens_per_day: Type.Union([Tokens, Type.Null()], { description: 'The budget; null when there is none' }),
    used: Type.Integer({ minimum: 0, description: 'Today (UTC), by answers that are over' }),
    reserved: Type.Integer({ minimum: 0, description: 'Today, for answers under way' }),
    left: Type.Union([Tokens, Type.Null()]),
    resets_at: Time,
    days: Type.Array(Type.Object({ date: Type.String({ format: 'date' }), tokens: Tokens }), {
      description: 'The last 30 days, newest first; days without use are left out',
    }),
  },
  { title: 'Usage' },
)
export type UsageByDay = Static<typeof UsageByDay>

export const Status = Type.Object({
  status: Type.Literal('running'),
  service: Type.Literal('agent'),
  message: Type.String(),
  timestamp: Time,
  version: Type.String(),
})
