// Collections and with whom they are shared.
import Type from 'typebox'
import type { Routes } from '../../platform/service.ts'
import { tellerOf, telling } from '../../platform/telling.ts'
import type { House } from '../plugin.ts'
import {
  ById,
  Collection,
  CollectionChange,
  CollectionList,
  CollectionReceipt,
  Grant,
  GrantOf,
  NewCollection,
  Page,
} from '../schemas.ts'

export async function collectionRoutes(app: Routes, { collections, erasures }: House) {
  const read = { access: 'read:rag' } as const
  const write = { access: 'write:rag' } as const

  app.post(
    '/collections',
    { config: write, schema: { body: NewCollection, response: { 201: Collection } } },
    async ({ caller, body }, reply) => {
      const made = collections.create(caller.user_id, body)
      return reply.code(201).header('location', `collections/${made.id}`).send(collections.one(caller.user_id, made.id))
    },
  )

  app.get(
    '/collections',
    { config: read, schema: { querystring: Page, response: { 200: CollectionList } } },
    ({ caller, query }) => collections.list(caller.user_id, query.limit ?? 50, query.cursor),
  )

  app.get('/collections/:id', { config: read, schema: { params: ById, response: { 200: Collection } } }, ({ caller, params }) =>
    collections.one(caller.user_id, params.id),
  )

  app.patch(
    '/collections/:id',
    { config: write, schema: { params: ById, body: CollectionChange, response: { 200: Collection } } },
    ({ caller, params, body }) => {
      collections.update(caller.user_id, params.id, body)
      return collections.one(caller.user_id, params.id)
    },
  )

  app.delete(
    '/collections/:id',
    { config: write, schema: { params: ById, response: { 200: CollectionReceipt } } },
    async request => {
      const { id } = collections.erasable(request.caller.user_id, request.params.id)
      const step = { action: 'collection_erase', target: id }
      const receipt = await telling(tellerOf(app, request), step, () => erasures.collection(id))
      return { collection_id: id, ...receipt }
    },
  )

  app.put(
    '/collections/:id/grants/:user_id',
    { config: write, schema: { params: GrantOf, body: Grant, response: { 204: Type.Null() } } },
    async (request, reply) => {
      const { id, user_id } = request.params
      const { access } = request.body
      collections.owned(request.caller.user_id, id)
      const step = { action: 'grant', target: id, detail: `${access} ${user_id}` }
      await telling(tellerOf(app, request), step, async () => collections.grant(request.caller.user_id, id, user_id, access))
      return reply.code(204).send(null)
    },
  )

  app.delete(
    '/collections/:id/grants/:user_id',
    { config: write, schema: { params: GrantOf, response: { 204: Type.Null() } } },
    async (request, reply) => {
      const { id, user_id } = request.params
      collections.leavable(request.caller.user_id, id, user_id)
      const step = { action: 'grant_revoke', target: id, detail: user_id }
      await telling(tellerOf(app, request), step, async () => collections.revoke(request.caller.user_id, id, user_id))
      return reply.code(204).send(null)
    },
  )
}
