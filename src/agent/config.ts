// What the agent understands from its environment.
import Type, { type Static } from 'typebox'
import { shared } from '../platform/config.ts'

export const AgentConfig = Type.Object({
  ...shared,
  JWKS_CACHE_S: Type.Integer({ minimum: 1, maximum: 86_400, default: 600 }),
  RAG_TOP_K_RESULTS: Type.Integer({ minimum: 1, maximum: 100, default: 5 }),
  /** Least score of a passage that may ground an answer. */
  RAG_SIMILARITY_THRESHOLD: Type.Number({ minimum: 0, maximum: 1, default: 0.3 }),
  /** Tokens of language models one user may use in a day; 0 is off. */
  LIMIT_TOKENS_PER_DAY: Type.Integer({ minimum: 0, default: 1_000_000 }),
})
export type AgentConfig = Readonly<Static<typeof AgentConfig>>
