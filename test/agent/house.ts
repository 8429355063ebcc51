// The agent with everything it stands on, all real: a private Redis, auth, rag on a folder of its own, each listening on loopback.
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { setTimeout as pause } from 'node:timers/promises'
import { AgentConfig } from '../../src/agent/config.ts'
import { agentService } from '../../src/agent/plugin.ts'
import { loadConfig } from '../../src/platform/config.ts'
import { buildService } from '../../src/platform/service.ts'
import { ragConfig } from '../../src/rag/config.ts'
import { ragService } from '../../src/rag/plugin.ts'
import { freePort, privateRedis } from '../support/redis.ts'
import { auth, environment, signedIn } from '../support/services.ts'

interface Teardown {
  teardown(action: () => unknown): void
}

const JOB_EVERY_MS = 25

/** Starts all of it; `more` are variables of the agent, `ofRag` of rag. */
export async function house(t: Teardown, more: Record<string, string> = {}, ofRag: Record<string, string> = {}) {
  const redis = await privateRedis(t)
  const env = environment(redis, {
    ...(process.env.AGENT_TEST_LOG && { LOG_LEVEL: process.env.AGENT_TEST_LOG }),
    LIMIT_AGENT_PER_MIN: '0',
    LIMIT_UPLOAD_PER_MIN: '0',
    LIMIT_RAG_QUERY_PER_MIN: '0',
  })
  const { app: authApp, url: authUrl } = await auth(t, env)
  const dir = mkdtempSync(join(tmpdir(), 'agent-'))
  const models = join(import.meta.dirname, '../../run/models')
  const folders = { RAG_DATA_DIR: dir, RAG_MODELS_DIR: models, RAG_FREE_BYTES_MIN: '0' }
  const ragEnv = { ...env, AUTH_SERVICE_URL: authUrl, ...folders, ...ofRag }
  const ragPort = await freePort()
  const startRag = async () => {
    const rag = await buildService(ragService(ragConfig(ragEnv)))
    await rag.listen({ host: '127.0.0.1', port: ragPort })
    return rag
  }
  let rag = await startRag()
  const agentEnv = { ...env, AUTH_SERVICE_URL: authUrl, RAG_SERVICE_URL: `http://127.0.0.1:${ragPort}`, ...more }
  /** One more agent on the same Redis, as a replica would be. */
  async function replica() {
    const app = await buildService(agentService(loadConfig(AgentConfig, agentEnv)))
    t.teardown(() => app.close())
    return { app, url: await app.listen({ host: '127.0.0.1', port: 0 }) }
  }
  const { app, url } = await replica()
  t.teardown(async () => {
    await rag.close()
    rmSync(dir, { recursive: true, force: true })
  })

  return {
    app,
    url,
    redis,
    agentEnv,
    authApp,
    replica,
    stopRag: () => rag.close(),
    async startRag() {
      rag = await startRag()
    },
    /** Someone signed in, with what she does. */
    async person(username: string) {
      const session = await signedIn(authApp, username)
      const { headers } = session
      return {
        ...session,
        user_id: session.user_info.user_id,
        /** Stores a text and waits until it is found; gives the document's id. */
        async store(title: string, text: string): Promise<string> {
          const stored = await rag.inject({ method: 'POST', url: '/documents', headers, payload: { title, text } })
          const [{ id, job_id } = { id: '', job_id: '' }] = stored.json<{ documents: { id: string; job_id: string }[] }>()
            .documents
          for (;;) {
            const { state, failure } = (await rag.inject({ url: `/jobs/${job_id}`, headers })).json()
            if (state === 'ready') return id
            if (state === 'failed') throw new Error(JSON.stringify(failure))
            await pause(JOB_EVERY_MS)
          }
        },
        receipt: async (id: string) => (await rag.inject({ url: `/erasures/${id}`, headers })).json(),
        erase: (id: string) => rag.inject({ method: 'DELETE', url: `/documents/${id}`, headers }),
        text: (href: string, range: string) => rag.inject({ url: href.replace(/^\/rag/, ''), headers: { ...headers, range } }),
        ask: (payload: Record<string, unknown>) => app.inject({ method: 'POST', url: '/query', headers, payload }),
        send: (method: 'GET' | 'DELETE', path: string) => app.inject({ method, url: path, headers }),
      }
    },
  }
}
