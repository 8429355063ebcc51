// Vectors in the shape of OpenAI's route.
import type { Routes } from '../../platform/service.ts'
import type { House } from '../plugin.ts'
import { Embeddings, EmbeddingsRequest } from '../question-schemas.ts'

export async function embeddingRoutes(app: Routes, { embeddings }: House) {
  app.post(
    '/v1/embeddings',
    { config: { access: 'read:rag' }, schema: { body: EmbeddingsRequest, response: { 200: Embeddings } } },
    ({ caller, body }) => embeddings(caller.user_id, body),
  )
}
