// Search: a question in, passages out, each with its place in a text that can be fetched.
import { SearchReply } from '../../contracts/search.ts'
import type { Routes } from '../../platform/service.ts'
import type { House } from '../plugin.ts'
import { Search } from '../question-schemas.ts'

export async function searchRoutes(app: Routes, { finding }: House) {
  app.post(
    '/search',
    { config: { access: 'read:rag' }, schema: { body: Search, response: { 200: SearchReply } } },
    async ({ caller, body }) => {
      const began = performance.now()
      const passages = await finding.passages(caller.user_id, body)
      return { passages, took_ms: Math.round((performance.now() - began) * 10) / 10 }
    },
  )
}
