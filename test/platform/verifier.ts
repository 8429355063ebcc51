// A service that is not auth, dressed like agent and rag: it knows auth's address and nothing of its secrets.
import type { FastifyReply } from 'fastify'
import Type from 'typebox'
import { loadConfig, shared } from '../../src/platform/config.ts'
import { remoteKeys } from '../../src/platform/keys.ts'
import { buildService } from '../../src/platform/service.ts'

interface Teardown {
  teardown(action: () => unknown): void
}

/**
 * Builds it with one route per kind of access: `/open`, `/who` (anyone signed in), `/search` (read:rag) and `/admin` (write:system).
 * `more` are further routes, for anyone signed in; what auth said is kept for `cacheS` seconds.
 */
export async function verifier(
  t: Teardown,
  env: NodeJS.ProcessEnv,
  authUrl: string,
  more: Record<string, (reply: FastifyReply) => unknown> = {},
  cacheS = 600,
) {
  const { SECRET_KEY: _pepper, JWT_SECRET_KEY: _wrap, ...rest } = env
  const app = await buildService({
    name: 'agent',
    config: loadConfig(Type.Object(shared), rest),
    keys: () => remoteKeys(authUrl, cacheS),
    async plugin(app) {
      app.get('/open', { config: { access: 'public' } }, () => ({}))
      app.get('/who', { config: { access: 'authenticated' } }, ({ caller }) => caller)
      app.get('/search', { config: { access: 'read:rag', limit: 'rag_query' } }, ({ caller }) => caller)
      app.get('/admin', { config: { access: 'write:system' } }, ({ caller }) => caller)
      for (const [path, answer] of Object.entries(more))
        app.get(path, { config: { access: 'authenticated' } }, (_request, reply) => answer(reply))
    },
  })
  t.teardown(() => app.close())
  return app
}
