// That rag runs, in the words of the older system.
import { version } from '../../platform/health.ts'
import type { Routes } from '../../platform/service.ts'
import { Status } from '../schemas.ts'

export async function statusRoutes(app: Routes) {
  app.get('/status', { config: { access: 'read:rag' }, schema: { response: { 200: Status } } }, () => ({
    status: 'running' as const,
    service: 'rag' as const,
    message: 'Documents are taken in and found',
    timestamp: new Date().toISOString(),
    version,
  }))
}
