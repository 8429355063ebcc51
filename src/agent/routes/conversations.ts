// The caller's own conversations: listed, read, deleted.
import Type from 'typebox'
import type { Routes } from '../../platform/service.ts'
import { tellerOf, telling } from '../../platform/telling.ts'
import type { House } from '../plugin.ts'
import { ById, Conversation, ConversationList, Page } from '../schemas.ts'

const PAGE = 50

export async function conversationRoutes(app: Routes, { conversations }: House) {
  app.get(
    '/conversations',
    { config: { access: 'read:agent' }, schema: { querystring: Page, response: { 200: ConversationList } } },
    ({ caller, query: { limit = PAGE, cursor } }) => conversations.list(caller.user_id, limit, cursor),
  )

  app.get(
    '/conversations/:id',
    { config: { access: 'read:agent' }, schema: { params: ById, response: { 200: Conversation } } },
    ({ caller, params }) => conversations.one(caller.user_id, params.id),
  )

  app.delete(
    '/conversations/:id',
    { config: { access: 'write:agent' }, schema: { params: ById, response: { 204: Type.Null() } } },
    async (request, reply) => {
      const { id } = request.params
      await conversations.demand(request.caller.user_id, id)
      const step = { action: 'conversation_delete', target: id }
      await telling(tellerOf(app, request), step, () => conversations.remove(request.caller.user_id, id))
      return reply.code(204).send(null)
    },
  )
}
