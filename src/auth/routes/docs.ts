// One page with the OpenAPI documents of all three services.
import swaggerUi from '@fastify/swagger-ui'
import type { Routes } from '../../platform/service.ts'

export async function docsRoutes(app: Routes) {
  app.addHook('onRoute', route => {
    route.config = { ...route.config, access: 'public' }
  })
  await app.register(swaggerUi, {
    routePrefix: '/docs',
    staticCSP: true,
    uiConfig: { urls: ['auth', 'agent', 'rag'].map(name => ({ url: `/${name}/openapi.json`, name })) },
  })
}
