// That the agent runs, in the words of the older system, and what it may use to answer.
import { version } from '../../platform/health.ts'
import type { Routes } from '../../platform/service.ts'
import { Status, ToolList } from '../schemas.ts'
import { searchDocuments } from '../tools.ts'

export async function statusRoutes(app: Routes) {
  const config = { access: 'read:agent' } as const

  app.get('/status', { config, schema: { response: { 200: Status } } }, () => ({
    status: 'running' as const,
    service: 'agent' as const,
    message: 'Questions are answered from documents',
    timestamp: new Date().toISOString(),
    version,
  }))

  app.get('/tools', { config, schema: { response: { 200: ToolList } } }, () => {
    const { name, description, parameters } = searchDocuments
    return { tools: [{ name, description, parameters: { ...parameters } }] }
  })
}
