// What whoever runs the system may do: change the embedding model, copy the data, see the state of each index.
import type { Routes } from '../../platform/service.ts'
import { IndexState, Reindex, Reindexing, Snapshot } from '../admin-schemas.ts'
import type { House } from '../plugin.ts'
import { Page } from '../schemas.ts'

export async function adminRoutes(app: Routes, { reindex, snapshots, indexes }: House) {
  const config = { access: 'write:system' } as const

  app.post('/admin/reindex', { config, schema: { body: Reindex, response: { 202: Reindexing } } }, async ({ body }, reply) => {
    await reindex.act(body)
    return reply.code(202).header('location', 'index').send(reindex.view())
  })

  app.post('/admin/snapshot', { config, schema: { response: { 202: Snapshot } } }, async (_request, reply) =>
    reply.code(202).header('location', 'index').send(snapshots.start()),
  )

  app.get('/admin/index', { config, schema: { querystring: Page, response: { 200: IndexState } } }, async ({ query }) => ({
    reindex: reindex.view(),
    snapshot: snapshots.last() ?? null,
    ...(await indexes(query.limit ?? 50, query.cursor)),
  }))
}
