// The three services as parts: each is `node src/<name>/main.ts` with the variables its own configuration declares.
import { join } from 'node:path'
import { AgentConfig } from '../src/agent/config.ts'
import { AuthConfig } from '../src/auth/config.ts'
import { RagConfig } from '../src/rag/config.ts'
import { environmentOf, type Settings } from './environment.ts'
import type { PartPlan } from './part.ts'

export const serviceConfigs = { auth: AuthConfig, agent: AgentConfig, rag: RagConfig }
type ServiceName = keyof typeof serviceConfigs

const READY_MS_MAX = 1_000

/** The plan of one service listening on loopback port `port`; what it writes lies under `dir`. */
export function servicePart(name: ServiceName, port: number, dir: string, settings: Settings): PartPlan {
  return {
    name,
    after: ['redis'],
    sources: [`src/${name}`, 'src/platform', 'src/contracts', ...(name === 'auth' ? [] : ['src/answering'])],
    launch: async () => ({
      command: process.execPath,
      args: [join(import.meta.dirname, '..', 'src', name, 'main.ts')],
      env: environmentOf(serviceConfigs[name], settings),
      cwd: dir,
    }),
    ready: async () => (await fetch(`http://127.0.0.1:${port}/ready`, { signal: AbortSignal.timeout(READY_MS_MAX) })).ok,
  }
}
