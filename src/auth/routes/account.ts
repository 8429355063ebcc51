// Registering, signing in and out, staying signed in, and the caller's own account.
import Type from 'typebox'
import { failure, failureBody } from '../../platform/errors.ts'
import type { Routes } from '../../platform/service.ts'
import { ending } from '../../platform/telling.ts'
import type { House } from '../plugin.ts'
import { Credentials, Invalid, Me, PasswordChange, Refresh, Registered, Registration, Session, Valid } from '../schemas.ts'
import { signedIn, visitorOf } from './visitor.ts'

export async function accountRoutes(app: Routes, { accounts, sessions }: House) {
  app.post(
    '/register',
    { config: { access: 'public', limit: 'register' }, schema: { body: Registration, response: { 201: Registered } } },
    async (request, reply) => {
      const { user_id, username, role } = await accounts.register(request.body, visitorOf(request))
      return reply.code(201).send({ message: 'Registered; sign in next', user_id, username, role })
    },
  )

  app.post(
    '/login',
    { config: { access: 'public', limit: 'login' }, schema: { body: Credentials, response: { 200: Session } } },
    request => accounts.login(request.body, visitorOf(request)),
  )

  app.post('/refresh', { config: { access: 'public' }, schema: { body: Refresh, response: { 200: Session } } }, request =>
    accounts.refresh(request.body.refresh_token, visitorOf(request)),
  )

  app.post(
    '/logout',
    { config: { access: 'authenticated' }, schema: { response: { 204: Type.Null() } } },
    async (request, reply) => {
      const { user_id, session_id } = signedIn(request)
      await ending(visitorOf(request), { action: 'logout', target: session_id }, () => sessions.end(user_id, session_id))
      return reply.code(204).send(null)
    },
  )

  app.post(
    '/validate',
    { config: { access: 'public' }, schema: { response: { 200: Valid, 401: Invalid } } },
    async (request, reply) => {
      const caller = await app.identify(request)
      if (!caller) return reply.code(401).send({ valid: false, ...failureBody(failure('unauthenticated'), request.id) })
      const { user_id, username, role, permissions, expires } = caller
      const expires_at = expires ? new Date(expires * 1000).toISOString() : null
      return { valid: true as const, user_id, username, role, permissions, expires_at }
    },
  )

  app.get('/me', { config: { access: 'authenticated' }, schema: { response: { 200: Me } } }, ({ caller }) => caller)

  app.put(
    '/me/password',
    { config: { access: 'authenticated' }, schema: { body: PasswordChange, response: { 204: Type.Null() } } },
    async (request, reply) => {
      const { user_id, session_id } = signedIn(request)
      const { current_password: current, new_password: next } = request.body
      await accounts.changePassword(user_id, session_id, { current, next }, visitorOf(request))
      return reply.code(204).send(null)
    },
  )
}
