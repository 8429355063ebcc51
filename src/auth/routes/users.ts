// Accounts as an admin sees them, and invitations to make one.
import Type from 'typebox'
import { failure } from '../../platform/errors.ts'
import type { Routes } from '../../platform/service.ts'
import type { House } from '../plugin.ts'
import { Id, Invite, Page, User, UserChange, UserList } from '../schemas.ts'
import { publicPart } from '../users.ts'
import { visitorOf } from './visitor.ts'

export async function userRoutes(app: Routes, { accounts, users, invites, registration }: House) {
  const manage = { access: 'manage:users' } as const

  app.get('/users', { config: manage, schema: { querystring: Page, response: { 200: UserList } } }, ({ query }) =>
    users.list(query.cursor, query.limit ?? 50),
  )

  app.get('/users/:id', { config: manage, schema: { params: Id, response: { 200: User } } }, async ({ params }) => {
    const user = await users.get(params.id)
    if (!user) throw failure('not_found')
    return publicPart(user)
  })

  app.patch('/users/:id', { config: manage, schema: { params: Id, body: UserChange, response: { 200: User } } }, request =>
    accounts.change(request.params.id, request.body, visitorOf(request)),
  )

  app.delete('/users/:id', { config: manage, schema: { params: Id, response: { 204: Type.Null() } } }, async (request, reply) => {
    await accounts.remove(request.params.id, visitorOf(request))
    return reply.code(204).send(null)
  })

  app.post('/invites', { config: manage, schema: { response: { 201: Invite } } }, async (request, reply) => {
    if (registration === 'closed')
      throw failure('conflict', 'Registration is closed here; with REGISTRATION=invite an invitation can be used')
    await app.audit(request, { action: 'invite', outcome: 'allowed' })
    return reply.code(201).send(await invites.make('user'))
  })
}
