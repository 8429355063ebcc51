// The agent assembled: what it opens, in which order, which routes it serves, and how it closes.
import { version } from '../platform/health.ts'
import { remoteKeys } from '../platform/keys.ts'
import type { App, Service } from '../platform/service.ts'
import { openAnswer } from './answer.ts'
import { openBudget } from './budget.ts'
import type { AgentConfig } from './config.ts'
import { openConversations } from './conversations.ts'
import { openErasures } from './erasures.ts'
import { openEvidence } from './evidence.ts'
import { openExecution } from './execution.ts'
import { openHoldings } from './holdings.ts'
import { type Answerers, chooseAnswerers } from './models/choose.ts'
import { completionRoutes } from './routes/completions.ts'
import { conversationRoutes } from './routes/conversations.ts'
import { mcpRoutes } from './routes/mcp.ts'
import { queryRoutes } from './routes/query.ts'
import { runRoutes } from './routes/runs.ts'
import { statusRoutes } from './routes/status.ts'
import { openRuns } from './runs.ts'
import { readServerList, type ToolServer } from './tools/server-list.ts'
import { openServers } from './tools/servers.ts'
import { openToolbox } from './tools/toolbox.ts'

/** Everything the agent's routes work with. */
export type House = ReturnType<typeof openHouse>

/** The agent service. */
export function agentService(config: AgentConfig): Service {
  return {
    name: 'agent',
    config,
    keys: () => remoteKeys(config.AUTH_SERVICE_URL, config.JWKS_CACHE_S),
    async plugin(app) {
      const house = openHouse(app, config, await chooseAnswerers(config, app.log), await readServerList(config.MCP_SERVERS))
      for (const routes of [queryRoutes, runRoutes, conversationRoutes, completionRoutes, mcpRoutes, statusRoutes])
        await app.register(routes, house)
    },
  }
}

/** Opens the parts; none of them holds more than Redis does, so any number of replicas may run. */
function openHouse(app: App, config: AgentConfig, answerers: Answerers, list: Map<string, ToolServer>) {
  const { redis, log } = app
  const evidence = openEvidence(config.RAG_SERVICE_URL)
  const conversations = openConversations(redis)
  const budget = openBudget(redis, { tokensMax: config.LIMIT_TOKENS_PER_DAY })
  const fellBack = app.counter('agent_fallbacks_total', 'Times an answerer was asked and did not answer', ['answerer', 'reason'])
  const answer = openAnswer({
    evidence,
    budget,
    answerers,
    scoreMin: config.RAG_SIMILARITY_THRESHOLD,
    passedOver(fallback, cause) {
      fellBack(fallback)
      log.warn({ ...cause, ...fallback }, 'an answerer did not answer')
    },
  })
  const runs = openRuns(redis)
  const holdings = openHoldings(redis)
  const erasures = openErasures({ redis, holdings, runs, conversations, budget, log })
  app.addHook('onReady', async () => erasures.follow())
  app.addHook('onClose', async () => erasures.close())
  const execution = openExecution({ runs, conversations, answer, holdings, erasures, log })
  const servers = openServers({ list, version, log, audit: call => app.audit(null, { action: 'tool_call', ...call }) })
  const toolbox = openToolbox({ evidence, servers })
  app.addHook('onClose', async () => toolbox.close())
  app.addHook('onClose', async () => answerers.close())
  const closing = new AbortController()
  app.addHook('preClose', async () => {
    await execution.close()
    closing.abort()
  })
  app.tells('answerer', answerers.first)

  return {
    config,
    evidence,
    answerer: answerers.first,
    answerers: answerers.names,
    conversations,
    budget,
    runs,
    execution,
    toolbox,
    /** Whether the credential of a request that goes on for long still holds. */
    alive: app.alive,
    closing: closing.signal,
  }
}
