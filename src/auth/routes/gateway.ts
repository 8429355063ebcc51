// The edge's own pages; Envoy sends `/health`, `/api/config` and `/api/services` here.
import type { Routes } from '../../platform/service.ts'
import type { House } from '../plugin.ts'
import { Configuration, Overall, Services } from '../schemas.ts'

export async function gatewayRoutes(app: Routes, { gateway }: House) {
  app.get(
    '/gateway/health',
    { config: { access: 'public', unlimited: true }, schema: { hide: true, response: { 200: Overall, 503: Overall } } },
    async (_request, reply) => {
      const health = await gateway.health()
      return reply.code(health.status === 'healthy' ? 200 : 503).send(health)
    },
  )
  app.get(
    '/gateway/config',
    { config: { access: 'read:system' }, schema: { hide: true, response: { 200: Configuration } } },
    () => gateway.configuration(),
  )
  app.get('/gateway/services', { config: { access: 'read:system' }, schema: { hide: true, response: { 200: Services } } }, () =>
    gateway.services(),
  )
}
