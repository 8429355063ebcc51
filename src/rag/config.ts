// What rag understands from its environment. Every limit on what comes in has its name here, and its default.
import Type, { type Static } from 'typebox'
import { loadConfig, shared } from '../platform/config.ts'

/**
 * Most bytes of files one request may bring, and what a form adds to them. The edge refuses by its declared length what is larger than both
 * together (`above_upload` in envoy/envoy.yaml, held to this by a test), so a smaller limit may be set here, a larger one would be a lie.
 */
export const UPLOAD_BYTES_LIMIT = 500_000_000
export const FORM_BYTES_MAX = 1024 * 1024

export const RagConfig = Type.Object({
  ...shared,
  JWKS_CACHE_S: Type.Integer({ minimum: 1, maximum: 86_400, default: 600 }),
  RAG_DATA_DIR: Type.String({ minLength: 1, default: 'data/rag' }),
  RAG_MODELS_DIR: Type.String({ minLength: 1, default: 'run/models' }),
  RAG_EMBEDDING_MODEL: Type.String({ pattern: '^[\\w.-]+/[\\w.-]+$', default: 'Xenova/all-MiniLM-L6-v2' }),
  /** Worker threads that embed documents; questions have a lane of their own. */
  RAG_EMBED_THREADS: Type.Integer({ minimum: 1, maximum: 64, default: 1 }),
  /** Largest passage and what two neighbours share, in tokens of the embedding model. */
  RAG_CHUNK_SIZE: Type.Integer({ minimum: 16, maximum: 8192, default: 200 }),
  RAG_CHUNK_OVERLAP: Type.Integer({ minimum: 0, maximum: 4096, default: 32 }),
  RAG_TOP_K_RESULTS: Type.Integer({ minimum: 1, maximum: 100, default: 5 }),
  RAG_SIMILARITY_THRESHOLD: Type.Number({ minimum: 0, maximum: 1, default: 0.3 }),
  /** Versions of a document whose text and original can still be read, the visible one among them. */
  RAG_VERSIONS_KEPT: Type.Integer({ minimum: 1, maximum: 100, default: 3 }),
  /** The only folder POST /ingest reads; unset, it reads none. */
  RAG_INGEST_ROOT: Type.Optional(Type.String({ minLength: 1 })),
  FILE_BYTES_MAX: Type.Integer({ minimum: 1, default: 100_000_000 }),
  UPLOAD_BYTES_MAX: Type.Integer({ minimum: 1, maximum: UPLOAD_BYTES_LIMIT, default: UPLOAD_BYTES_LIMIT }),
  /** Bytes of originals in all collections a user owns, those of older versions among them. */
  RAG_USER_BYTES_MAX: Type.Integer({ minimum: 1, default: 20_000_000_000 }),
  /** Free bytes on the disk below which nothing more is taken in. */
  RAG_FREE_BYTES_MIN: Type.Integer({ minimum: 0, default: 500_000_000 }),
  /** Jobs that may wait; one user may fill half of it. */
  RAG_QUEUE_MAX: Type.Integer({ minimum: 2, default: 20_000 }),
})
export type RagConfig = Readonly<Static<typeof RagConfig>>

/** Reads rag's configuration; a wrong value stops the process with a sentence. */
export function ragConfig(environment?: NodeJS.ProcessEnv): RagConfig {
  const config = loadConfig(RagConfig, environment)
  if (config.RAG_CHUNK_OVERLAP >= config.RAG_CHUNK_SIZE) {
    throw new Error(
      `RAG_CHUNK_OVERLAP (${config.RAG_CHUNK_OVERLAP}) must be smaller than RAG_CHUNK_SIZE (${config.RAG_CHUNK_SIZE}); correct it and start again.`,
    )
  }
  return config
}
