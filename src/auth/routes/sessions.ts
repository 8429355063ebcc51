// The caller's own sessions: see them, end one, end all.
import Type from 'typebox'
import { failure } from '../../platform/errors.ts'
import type { Routes } from '../../platform/service.ts'
import { ending } from '../../platform/telling.ts'
import type { House } from '../plugin.ts'
import { Id, SessionList } from '../schemas.ts'
import { signedIn, visitorOf } from './visitor.ts'

export async function sessionRoutes(app: Routes, { sessions }: House) {
  app.get(
    '/sessions',
    { config: { access: 'authenticated' }, schema: { response: { 200: SessionList } } },
    async ({ caller }) => {
      const living = await sessions.list(caller.user_id)
      return { sessions: living.map(session => ({ ...session, current: session.id === caller.session_id })) }
    },
  )

  app.delete(
    '/sessions/:id',
    { config: { access: 'authenticated' }, schema: { params: Id, response: { 204: Type.Null() } } },
    async (request, reply) => {
      const { id } = request.params
      const { user_id } = signedIn(request)
      if (!(await sessions.lives(user_id, id))) throw failure('not_found')
      await ending(visitorOf(request), { action: 'session_end', target: id }, () => sessions.end(user_id, id))
      return reply.code(204).send(null)
    },
  )

  app.delete(
    '/sessions',
    { config: { access: 'authenticated' }, schema: { response: { 204: Type.Null() } } },
    async (request, reply) => {
      const { user_id } = signedIn(request)
      await ending(visitorOf(request), { action: 'session_end', detail: 'all' }, () => sessions.endAll(user_id))
      return reply.code(204).send(null)
    },
  )
}
