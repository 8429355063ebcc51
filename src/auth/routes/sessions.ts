// The caller's own sessions: see them, end one, end all.
import Type from 'typebox'
import { failure } from '../../platform/errors.ts'
import type { Routes } from '../../platform/service.ts'
import type { House } from '../plugin.ts'
import { Id, SessionList } from '../schemas.ts'
import { signedIn } from './visitor.ts'

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
      if (!(await sessions.end(signedIn(request).user_id, id))) throw failure('not_found')
      await app.audit(request, { action: 'session_end', outcome: 'allowed', target: id })
      return reply.code(204).send(null)
    },
  )

  app.delete(
    '/sessions',
    { config: { access: 'authenticated' }, schema: { response: { 204: Type.Null() } } },
    async (request, reply) => {
      await sessions.endAll(signedIn(request).user_id)
      await app.audit(request, { action: 'session_end', outcome: 'allowed', detail: 'all' })
      return reply.code(204).send(null)
    },
  )
}
