// Vectors for whoever asks, from the model that documents are embedded with. Askers take turns with documents, so that neither holds
// up the other for longer than a batch.
import { failure } from '../platform/errors.ts'
import { BATCH } from './ingest.ts'
import type { Turns } from './turns.ts'

interface Parts {
  /** The one that serves just now. */
  model: () => { name: string; dimensions: number; window: number }
  count: (texts: string[]) => Promise<number[]>
  /** Row-major, one unit vector per text. */
  embed: (texts: string[]) => Promise<Float32Array>
  embedding: Turns
}

export interface EmbeddingsRequest {
  input: string | string[]
  model?: string
  encoding_format?: 'float' | 'base64'
  dimensions?: number
}

/** Longest an asker waits, in milliseconds. */
const EMBEDDINGS_MS_MAX = 50_000

export function openEmbeddings({ model: serving, count, embed, embedding }: Parts) {
  /** Answers in the shape of OpenAI's. Throws `invalid_request` for another model or a text longer than the model reads: nothing is cut. */
  return async (user: string, { input, model: wanted, encoding_format = 'float', dimensions }: EmbeddingsRequest) => {
    const model = serving()
    if (wanted !== undefined && wanted !== model.name) throw failure('invalid_request', `The model here is ${model.name}`)
    if (dimensions !== undefined && dimensions !== model.dimensions) {
      throw failure('invalid_request', `Vectors of this model have ${model.dimensions} dimensions`)
    }
    const signal = AbortSignal.timeout(EMBEDDINGS_MS_MAX)
    const texts = [input].flat()
    const embedded: Float32Array[] = []
    let tokens = 0
    for (let done = 0; done < texts.length; done += BATCH) {
      const batch = texts.slice(done, done + BATCH)
      const vectors = await embedding(user, signal, async () => {
        const counts = await count(batch)
        const long = counts.findIndex(one => one > model.window)
        if (long >= 0) {
          throw failure(
            'invalid_request',
            `Input ${done + long} has ${counts[long]} tokens; the model reads at most ${model.window}`,
          )
        }
        tokens += counts.reduce((sum, one) => sum + one, 0)
        return embed(batch)
      }).catch(error => {
        throw signal.aborted ? failure('deadline', undefined, { cause: error }) : error
      })
      for (const i of batch.keys()) embedded.push(vectors.subarray(i * model.dimensions, (i + 1) * model.dimensions))
    }
    const data = embedded.map((vector, index) => ({
      object: 'embedding' as const,
      index,
      embedding: encoding_format === 'base64' ? base64(vector) : Array.from(vector),
    }))
    return { object: 'list' as const, data, model: model.name, usage: { prompt_tokens: tokens, total_tokens: tokens } }
  }
}

/** Little-endian float32, as OpenAI's clients expect. */
function base64(vector: Float32Array): string {
  return Buffer.from(vector.buffer, vector.byteOffset, vector.byteLength).toString('base64')
}
