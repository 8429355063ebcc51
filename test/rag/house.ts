// Rag with everything it stands on, all real: a private Redis, auth, the model, a data folder of its own.
import { once } from 'node:events'
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import type { Test } from 'tap'
import type { App } from '../../src/platform/service.ts'
import { buildService } from '../../src/platform/service.ts'
import { ragConfig } from '../../src/rag/config.ts'
import { ragService } from '../../src/rag/plugin.ts'
import { privateRedis } from '../support/redis.ts'
import { auth, environment, signedIn } from '../support/services.ts'

export const modelsDir = join(import.meta.dirname, '../../run/models')

export interface Sent {
  status: number
  headers: Record<string, string | string[] | number | undefined>
  text: string
  // biome-ignore lint/suspicious/noExplicitAny: replies are matched, not typed
  body: any
}

/** Starts all of it; `more` are variables of rag. */
export async function house(t: Test, more: Record<string, string> = {}) {
  const redis = await privateRedis(t)
  const env = environment(redis, { LIMIT_UPLOAD_PER_MIN: '0', LIMIT_RAG_QUERY_PER_MIN: '0' })
  const { app: authApp, url: authUrl } = await auth(t, env)
  const dataDir = await mkdtemp(join(tmpdir(), 'rag-'))
  const ragEnv = {
    ...env,
    AUTH_SERVICE_URL: authUrl,
    RAG_DATA_DIR: dataDir,
    RAG_MODELS_DIR: modelsDir,
    RAG_FREE_BYTES_MIN: '0',
    ...more,
  }
  const routes: { method: string; url: string }[] = []
  const config = ragConfig(ragEnv)
  const service = ragService(config)
  const app = await buildService({
    ...service,
    async plugin(scope) {
      scope.addHook('onRoute', ({ method, url }) => {
        for (const one of [method].flat()) routes.push({ method: one, url })
      })
      await service.plugin(scope)
    },
  })
  t.teardown(async () => {
    await app.close()
    await rm(dataDir, { recursive: true, force: true })
  })
  return { app, authApp, redis, dataDir, ragEnv, routes, person: (username: string) => person(app, authApp, username) }
}

/** Somebody signed in, and what she does to rag. */
async function person(app: App, authApp: App, username: string) {
  const { headers, user_info } = await signedIn(authApp, username)

  async function send(method: string, url: string, payload?: unknown, more: Record<string, string> = {}): Promise<Sent> {
    const form = payload instanceof FormData ? new Response(payload) : undefined
    const reply = await app.inject({
      method: method as 'GET',
      url,
      headers: { ...headers, ...(form && { 'content-type': form.headers.get('content-type') ?? '' }), ...more },
      ...(form ? { payload: Buffer.from(await form.arrayBuffer()) } : payload !== undefined && { payload: payload as object }),
    })
    const isJson = String(reply.headers['content-type']).startsWith('application/json')
    return {
      status: reply.statusCode,
      headers: reply.headers,
      text: reply.payload,
      body: isJson && reply.payload ? reply.json() : undefined,
    }
  }

  const self = {
    user_id: user_info.user_id,
    headers,
    send,

    /** Uploads files as a form; `fields` go before them. */
    upload(files: Record<string, string | Uint8Array>, fields: Record<string, string> = {}, more: Record<string, string> = {}) {
      const form = new FormData()
      for (const [name, value] of Object.entries(fields)) form.append(name, value)
      for (const [name, bytes] of Object.entries(files))
        form.append('file', new File([typeof bytes === 'string' ? bytes : new Uint8Array(bytes)], name))
      return send('POST', '/documents', form, more)
    },

    /** Waits until a job has ended and gives it: the stream of its events ends with it. */
    async ended(job: string): Promise<Sent['body']> {
      const { text } = await send('GET', `/jobs/${job}/events`)
      return JSON.parse(/^data: (.*)$/m.exec(text.trimEnd().split('\n\n').at(-1) ?? '')?.[1] ?? 'null')
    },

    /** Uploads one file, waits until it is ready, gives the document. */
    async has(name: string, bytes: string | Uint8Array, fields: Record<string, string> = {}): Promise<Sent['body']> {
      const { body, text } = await self.upload({ [name]: bytes }, fields)
      const [entry] = body?.documents ?? []
      if (!entry?.job_id) throw new Error(text)
      const job = await self.ended(entry.job_id)
      if (job.state !== 'ready') throw new Error(JSON.stringify(job))
      return (await send('GET', `/documents/${entry.id}`)).body
    },
  }
  return self
}

/** Listens on a free port of loopback; gives the port. */
export async function listening(app: App): Promise<number> {
  await app.listen({ host: '127.0.0.1', port: 0 })
  const address = app.server.address()
  if (!app.server.listening) await once(app.server, 'listening')
  if (address === null || typeof address === 'string') throw new Error('no port')
  return address.port
}
