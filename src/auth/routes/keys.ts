// The public keys, for Envoy and for every service.
import type { Routes } from '../../platform/service.ts'
import type { House } from '../plugin.ts'
import { Jwks } from '../schemas.ts'

export async function keyRoutes(app: Routes, { keyring, config }: House) {
  app.get(
    '/.well-known/jwks.json',
    { config: { access: 'public', unlimited: true }, schema: { response: { 200: Jwks } } },
    async (_request, reply) => {
      reply.header('cache-control', `public, max-age=${config.JWKS_CACHE_S}`)
      return keyring.jwks() as never
    },
  )
}
