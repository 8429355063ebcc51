// Evaluations of a user's own questions.
import type { Routes } from '../../platform/service.ts'
import type { House } from '../plugin.ts'
import { Evaluation, EvaluationRequest } from '../question-schemas.ts'
import { ById } from '../schemas.ts'

export async function evaluationRoutes(app: Routes, { evaluations }: House) {
  const config = { access: 'write:rag' } as const

  app.post(
    '/evaluations',
    { config, schema: { body: EvaluationRequest, response: { 202: Evaluation } } },
    async ({ caller, body }, reply) => {
      const made = evaluations.start(caller.user_id, body)
      return reply.code(202).header('location', `evaluations/${made.id}`).send(made)
    },
  )

  app.get('/evaluations/:id', { config, schema: { params: ById, response: { 200: Evaluation } } }, ({ caller, params }) =>
    evaluations.one(caller.user_id, params.id),
  )
}
