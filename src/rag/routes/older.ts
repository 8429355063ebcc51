// The three routes of the older system, in its shapes: passages good enough to answer from, and an answer made of them.
import type { Routes } from '../../platform/service.ts'
import type { House } from '../plugin.ts'
import { OlderAnswer, OlderDocuments, OlderQuestion } from '../question-schemas.ts'

export async function olderRoutes(app: Routes, { finding }: House) {
  const config = { access: 'read:rag', limit: 'rag_query' } as const

  for (const path of ['/retrieve', '/lookup']) {
    app.post(
      path,
      { config, schema: { body: OlderQuestion, response: { 200: OlderDocuments } } },
      async ({ caller, body: { query, top_k } }) => ({ documents: await finding.supporting(caller.user_id, query, top_k) }),
    )
  }

  app.post(
    '/query',
    { config, schema: { body: OlderQuestion, response: { 200: OlderAnswer } } },
    ({ caller, body: { query, top_k } }) => finding.answered(caller.user_id, query, top_k),
  )
}
