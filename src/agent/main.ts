// The agent as a process.
import { loadConfig } from '../platform/config.ts'
import { start } from '../platform/start.ts'
import { AgentConfig } from './config.ts'
import { agentService } from './plugin.ts'

const config = loadConfig(AgentConfig)
await start(
  () => agentService(config),
  () => config.AGENT_SERVICE_PORT,
)
