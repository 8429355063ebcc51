// The edge's own pages; Envoy sends `/api/config` and `/api/services` here.
import type { Routes } from '../../platform/service.ts'
import type { House } from '../plugin.ts'
import { Configuration, Services } from '../schemas.ts'

export async function gatewayRoutes(app: Routes, { gateway }: House) {
  app.get(
    '/gateway/config',
    { config: { access: 'read:system' }, schema: { hide: true, response: { 200: Configuration } } },
    () => gateway.configuration(),
  )
  app.get('/gateway/services', { config: { access: 'read:system' }, schema: { hide: true, response: { 200: Services } } }, () =>
    gateway.services(),
  )
}
