// The bodies of questions: search, the older routes, embeddings, evaluations.
import Type from 'typebox'
import { Id, Passage, QUERY_CHARS_MAX, SEARCHED_MAX, SearchMode, SearchRequest, TOP_K_MAX } from '../contracts/search.ts'
import { Count, closed, Estimate, Nullable, Scalar, Time } from './schemas.ts'

const FieldName = Type.String({ minLength: 1, maxLength: 100 })
const Bound = Type.Union([Type.String({ maxLength: 2000 }), Type.Number()])
const Bounds = Type.Object(
  { gt: Type.Optional(Bound), gte: Type.Optional(Bound), lt: Type.Optional(Bound), lte: Type.Optional(Bound) },
  { ...closed, minProperties: 1 },
)
const OneOf = Type.Object({ in: Type.Array(Scalar, { minItems: 1, maxItems: 100 }) }, closed)
/** What every passage's document must have in its metadata. */
const Filter = Type.Record(FieldName, Type.Union([Scalar, OneOf, Bounds]), {
  minProperties: 1,
  maxProperties: 10,
  title: 'Filter',
})
export const Search = Type.Object(
  { ...SearchRequest.properties, group_by: Type.Optional(Type.Literal('document')), filter: Type.Optional(Filter) },
  { ...closed, title: 'Search' },
)
/** The question of the older routes. */
export const OlderQuestion = Type.Object(
  {
    query: Type.String({ minLength: 1, maxLength: 1000 }),
    top_k: Type.Optional(Type.Integer({ minimum: 1, maximum: TOP_K_MAX })),
  },
  { ...closed, title: 'OlderQuestion' },
)
export const OlderDocuments = Type.Object({ documents: Type.Array(Passage) }, { title: 'OlderDocuments' })
const AnswerSource = Type.Object({
  document_id: Type.String(),
  version: Type.String(),
  title: Type.String(),
  source: Nullable(Type.String()),
  start_byte: Count,
  end_byte: Count,
  quote: Type.String(),
  score: Type.Number(),
})
export const OlderAnswer = Type.Object(
  {
    documents: Type.Array(Passage),
    context: Type.String(),
    response: Type.String(),
    answer: Type.String({ description: 'The same as `response`' }),
    grounded: Type.Boolean(),
    sources: Type.Array(AnswerSource),
  },
  { title: 'OlderAnswer' },
)

/** Texts in one request for vectors, and the longest of them in characters; the model's own bound is in tokens. */
const INPUTS_MAX = 256
const Input = Type.String({ minLength: 1, maxLength: 20_000 })
export const EmbeddingsRequest = Type.Object(
  {
    input: Type.Union([Input, Type.Array(Input, { minItems: 1, maxItems: INPUTS_MAX })]),
    model: Type.Optional(Type.String({ maxLength: 200 })),
    encoding_format: Type.Optional(Type.Enum(['float', 'base64'])),
    dimensions: Type.Optional(Type.Integer({ minimum: 1 })),
    user: Type.Optional(Type.String({ maxLength: 200, description: 'Accepted for clients of OpenAI, and without effect' })),
  },
  { ...closed, title: 'EmbeddingsRequest' },
)
export const Embeddings = Type.Object(
  {
    object: Type.Literal('list'),
    data: Type.Array(
      Type.Object({
        object: Type.Literal('embedding'),
        index: Count,
        embedding: Type.Union([Type.Array(Type.Number()), Type.String({ description: 'base64 of little-endian float32' })]),
      }),
    ),
    model: Type.String(),
    usage: Type.Object({ prompt_tokens: Count, total_tokens: Count }),
  },
  { title: 'Embeddings' },
)

const ConfigurationName = Type.String({ minLength: 1, maxLength: 100 })
const Configuration = Type.Object(
  {
    name: ConfigurationName,
    mode: Type.Optional(SearchMode),
    min_score: Type.Optional(Type.Number({ minimum: 0, maximum: 1 })),
  },
  closed,
)
export const EvaluationRequest = Type.Object(
  {
    queries: Type.Array(
      Type.Object(
        {
          query: Type.String({ minLength: 1, maxLength: QUERY_CHARS_MAX }),
          relevant: Type.Array(Id, { minItems: 1, maxItems: 1000, uniqueItems: true }),
        },
        closed,
      ),
      { minItems: 1, maxItems: 500 },
    ),
    configurations: Type.Optional(
      Type.Array(Configuration, { minItems: 1, maxItems: 5, description: 'What to compare; without it the three modes' }),
    ),
    collection_ids: Type.Optional(Type.Array(Id, { minItems: 1, maxItems: SEARCHED_MAX })),
  },
  { ...closed, title: 'EvaluationRequest' },
)
const estimates = { ndcg_at_10: Estimate, recall_at_10: Estimate, reciprocal_rank: Estimate }
const Marks = Type.Object({
  configuration: ConfigurationName,
  ndcg_at_10: Type.Number(),
  recall_at_10: Type.Number(),
  reciprocal_rank: Type.Number(),
})
export const Evaluation = Type.Object(
  {
    id: Type.String(),
    state: Type.Enum(['queued', 'ready', 'failed']),
    done: Count,
    total: Count,
    created_at: Time,
    configurations: Type.Optional(Type.Array(Type.Object({ ...Configuration.properties, ...estimates }))),
    differences: Type.Optional(
      Type.Array(Type.Object({ configuration: ConfigurationName, against: ConfigurationName, ...estimates }), {
        description: 'Paired, query by query, against the first configuration',
      }),
    ),
    queries: Type.Optional(Type.Array(Type.Object({ query: Type.String(), results: Type.Array(Marks) }))),
  },
  { title: 'Evaluation' },
)
