// What agent asks rag and what comes back: the body of POST /search.
import Type, { type Static } from 'typebox'

export const TOP_K_MAX = 100
/** Longest question, in characters. */
export const QUERY_CHARS_MAX = 2000
/** Collections one question may reach. */
export const SEARCHED_MAX = 50

export const Id = Type.String({ minLength: 1, maxLength: 64, pattern: '^[A-Za-z0-9_-]+$' })

export const SearchMode = Type.Union([Type.Literal('hybrid'), Type.Literal('vector'), Type.Literal('lexical')])
export type SearchMode = Static<typeof SearchMode>

export const SearchRequest = Type.Object(
  {
    query: Type.String({ minLength: 1, maxLength: QUERY_CHARS_MAX }),
    top_k: Type.Optional(Type.Integer({ minimum: 1, maximum: TOP_K_MAX, default: 5 })),
    collection_ids: Type.Optional(Type.Array(Id, { minItems: 1, maxItems: SEARCHED_MAX })),
    mode: Type.Optional(SearchMode),
    min_score: Type.Optional(Type.Number({ minimum: 0, maximum: 1 })),
    explain: Type.Optional(Type.Boolean()),
  },
  { additionalProperties: false, title: 'SearchRequest' },
)
export type SearchRequest = Static<typeof SearchRequest>

const Leg = Type.Object({ rank: Type.Integer({ minimum: 1 }), score: Type.Number() })

/**
 * A chunk as returned. `content` is exactly the bytes start_byte (inclusive) to end_byte (exclusive) of the canonical text `version`: rag
 * compares them before it answers, and leaves out what differs.
 */
export const Passage = Type.Object(
  {
    document_id: Type.String(),
    version: Type.String({ description: 'SHA-256 of the canonical text' }),
    collection_id: Type.String(),
    chunk_id: Type.String(),
    content: Type.String(),
    title: Type.String(),
    source: Type.Union([Type.String(), Type.Null()]),
    metadata: Type.Record(Type.String(), Type.Unknown()),
    score: Type.Number({ minimum: 0, maximum: 1, description: 'Higher is better; comparable between queries' }),
    legs: Type.Optional(Type.Object({ lexical: Type.Optional(Leg), vector: Type.Optional(Leg) })),
    start_byte: Type.Integer({ minimum: 0 }),
    end_byte: Type.Integer({ minimum: 0 }),
    page: Type.Optional(Type.Integer()),
    heading: Type.Optional(Type.String()),
  },
  { title: 'Passage' },
)
export type Passage = Static<typeof Passage>

export const SearchReply = Type.Object({ passages: Type.Array(Passage), took_ms: Type.Number() }, { title: 'SearchReply' })
export type SearchReply = Static<typeof SearchReply>
