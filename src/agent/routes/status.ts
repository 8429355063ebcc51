// That the agent runs, in the words of the older system, what it may use to answer, and how much of that is left.
import { version } from '../../platform/health.ts'
import type { Routes } from '../../platform/service.ts'
import type { House } from '../plugin.ts'
import { Status, ToolList, UsageByDay } from '../schemas.ts'

export async function statusRoutes(app: Routes, { budget, toolbox }: House) {
  const config = { access: 'read:agent' } as const

  app.get('/status', { config, schema: { response: { 200: Status } } }, () => ({
    status: 'running' as const,
    service: 'agent' as const,
    message: 'Questions are answered from documents',
    timestamp: new Date().toISOString(),
    version,
  }))

  app.get('/tools', { config, schema: { response: { 200: ToolList } } }, ({ caller }) => ({
    tools: toolbox
      .allowed(caller.permissions)
      .map(({ name, description, parameters }) => ({ name, description, parameters: { ...parameters } })),
  }))

  app.get('/usage', { config, schema: { response: { 200: UsageByDay } } }, ({ caller }) => budget.usage(caller.user_id))
}
