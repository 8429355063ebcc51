// What the agent understands from its environment.
import Type, { type Static } from 'typebox'
import { shared } from '../platform/config.ts'
import { SMALLTALK } from './models/local-weights.ts'
import { BUILT_IN, LOCAL, providers } from './models/providers.ts'

export const AgentConfig = Type.Object({
  ...shared,
  JWKS_CACHE_S: Type.Integer({ minimum: 1, maximum: 86_400, default: 600 }),
  RAG_TOP_K_RESULTS: Type.Integer({ minimum: 1, maximum: 100, default: 5 }),
  /** Least score of a passage that may ground an answer. */
  RAG_SIMILARITY_THRESHOLD: Type.Number({ minimum: 0, maximum: 1, default: 0.3 }),
  /** Who answers: the built-in answerer, a model on this machine, or one elsewhere. */
  DEFAULT_LLM_PROVIDER: Type.Enum([BUILT_IN, LOCAL, ...providers], { default: BUILT_IN }),
  /** As its provider calls it. */
  DEFAULT_LLM_MODEL: Type.Optional(Type.String({ maxLength: 200 })),
  DEFAULT_LLM_BASE_URL: Type.Optional(Type.String({ pattern: '^https?://' })),
  /** GGUF file of the model that runs on this machine; `none` for none. */
  LOCAL_MODEL_PATH: Type.String({ minLength: 1, default: SMALLTALK }),
  OPENAI_API_KEY: Type.Optional(Type.String()),
  ANTHROPIC_API_KEY: Type.Optional(Type.String()),
  GEMINI_API_KEY: Type.Optional(Type.String()),
  /** What a prompt may hold, about; passages and earlier questions are left out past it. */
  DEFAULT_LLM_PROMPT_TOKENS: Type.Integer({ minimum: 500, maximum: 200_000, default: 6000 }),
  /** Longest silence of a model, and longest call, in milliseconds. */
  DEFAULT_LLM_SILENCE_MS: Type.Integer({ minimum: 100, maximum: 60_000, default: 20_000 }),
  DEFAULT_LLM_CALL_MS: Type.Integer({ minimum: 100, maximum: 90_000, default: 60_000 }),
  /** File that lists the tool servers that may be used. */
  MCP_SERVERS: Type.String({ default: '' }),
  /** Tokens of language models one user may use in a day; 0 is off. */
  LIMIT_TOKENS_PER_DAY: Type.Integer({ minimum: 0, default: 1_000_000 }),
})
export type AgentConfig = Readonly<Static<typeof AgentConfig>>
