// The agent as a process.
import { loadConfig } from '../platform/config.ts'
import { start } from '../platform/start.ts'
import { AgentConfig } from './config.ts'
import { agentService } from './plugin.ts'

await start(
  () => agentService(loadConfig(AgentConfig)),
  ({ AGENT_SERVICE_PORT }) => AGENT_SERVICE_PORT,
)
