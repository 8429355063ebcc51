// The caller's own API keys.
import Type from 'typebox'
import { roles } from '../../contracts/claims.ts'
import { failure } from '../../platform/errors.ts'
import type { Routes } from '../../platform/service.ts'
import { ending, telling } from '../../platform/telling.ts'
import type { House } from '../plugin.ts'
import { ApiKeyId, ApiKeyList, MadeApiKey, NewApiKey } from '../schemas.ts'
import { signedIn, visitorOf } from './visitor.ts'

export async function apiKeyRoutes(app: Routes, { apiKeys }: House) {
  app.post(
    '/api-keys',
    { config: { access: 'authenticated' }, schema: { body: NewApiKey, response: { 201: MadeApiKey } } },
    async (request, reply) => {
      const { user_id } = signedIn(request)
      const { name, permissions, expires_in_days } = request.body
      const bound: readonly string[] = roles.service_account
      const beyond = permissions.filter(
        permission => !request.caller.permissions.includes(permission) || !bound.includes(permission),
      )
      if (beyond.length > 0) throw failure('forbidden', `A key of yours cannot have ${beyond.join(', ')}`)
      const made = await telling(visitorOf(request), { action: 'api_key_make', detail: permissions.join(' ') }, () =>
        apiKeys.make(user_id, name, permissions, expires_in_days),
      )
      return reply.code(201).send(made)
    },
  )

  app.get(
    '/api-keys',
    { config: { access: 'authenticated' }, schema: { response: { 200: ApiKeyList } } },
    async ({ caller }) => ({
      api_keys: await apiKeys.list(caller.user_id),
    }),
  )

  app.delete(
    '/api-keys/:id',
    { config: { access: 'authenticated' }, schema: { params: ApiKeyId, response: { 204: Type.Null() } } },
    async (request, reply) => {
      const { id } = request.params
      const { user_id } = signedIn(request)
      if (!(await apiKeys.lives(user_id, id))) throw failure('not_found')
      const step = { action: 'api_key_delete', target: id }
      await ending(visitorOf(request), step, () => apiKeys.end(user_id, id), 'api_key_end')
      return reply.code(204).send(null)
    },
  )
}
