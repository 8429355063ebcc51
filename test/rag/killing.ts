// Rag as a process of its own that can be killed at any moment, and a client beside it that keeps its own journal of what was accepted.
import { type ChildProcess, spawn } from 'node:child_process'
import { once } from 'node:events'
import { mkdtemp, readdir, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import type { Test } from 'tap'
import { freePort, privateRedis } from '../support/redis.ts'
import { auth, environment, signedIn } from '../support/services.ts'
import { modelsDir } from './house.ts'

export const main = join(import.meta.dirname, '../../src/rag/main.ts')
// biome-ignore lint/suspicious/noExplicitAny: replies are matched, not typed
type Reply = any
export type RagProcess = Awaited<ReturnType<typeof ragProcess>>

/** What rag needs around it, and the means to start and end it; all of it is gone with the test. */
export async function ragProcess(t: Test) {
  const redis = await privateRedis(t)
  const shared = environment(redis, { LIMIT_UPLOAD_PER_MIN: '0', LIMIT_RAG_QUERY_PER_MIN: '0' })
  const { app, url: authUrl } = await auth(t, shared)
  const { headers } = await signedIn(app, 'ann')
  const dataDir = await mkdtemp(join(tmpdir(), 'rag-'))
  const port = await freePort()
  const url = `http://127.0.0.1:${port}`
  const env = {
    ...shared,
    AUTH_SERVICE_URL: authUrl,
    RAG_SERVICE_PORT: `${port}`,
    RAG_DATA_DIR: dataDir,
    RAG_MODELS_DIR: modelsDir,
    RAG_FREE_BYTES_MIN: '0',
  }
  let child: ChildProcess | undefined

  /** Ends it with `signal`; gives its exit code. */
  async function end(signal: 'SIGKILL' | 'SIGTERM'): Promise<number | null> {
    if (!child || child.exitCode !== null || child.signalCode !== null) return null
    const ended = once(child, 'exit')
    child.kill(signal)
    return (await ended)[0]
  }
  t.teardown(async () => {
    await end('SIGKILL')
    await rm(dataDir, { recursive: true, force: true })
  })

  return {
    env,
    url,
    headers,
    dataDir,
    end,

    /** Starts it and waits until it is ready. */
    async start() {
      const started = spawn(process.execPath, [main], { env, stdio: ['ignore', 'ignore', 'inherit'] })
      child = started
      while ((await fetch(`${url}/ready`).catch(() => undefined))?.status !== 200) {
        if (started.exitCode !== null) throw new Error(`rag ended with ${started.exitCode}`)
        await new Promise(setImmediate)
      }
    },

    async send(method: string, path: string, body?: object) {
      const reply = await fetch(url + path, {
        method,
        headers: { ...headers, ...(body && { 'content-type': 'application/json' }) },
        body: body && JSON.stringify(body),
      })
      return { status: reply.status, body: (await reply.json()) as Reply }
    },

    /** The events of a job, to its end. */
    events: async (job: string) => (await fetch(`${url}/jobs/${job}/events`, { headers })).text(),
  }
}

/** Passages with the word `token` in each. */
export const textOf = (token: string, passages: number) =>
  Array.from(
    { length: passages },
    (_, i) => `Passage ${i} of ${token}: ${'the harbour lies in the evening light '.repeat(15)}.`,
  ).join('\n\n')

/** Resolves when some of a job's passages are embedded and some are not, or when it has ended. */
async function halfEmbedded({ url, headers }: RagProcess, job: string) {
  const { body } = await fetch(`${url}/jobs/${job}/events`, { headers })
  for await (const part of body ?? []) if (/"stage":"embedding","done":[1-9]/.test(Buffer.from(part).toString())) return
}

const DOCUMENTS_PER_LIFE = 4

/**
 * Kills rag `kills` times while it takes documents in, then holds what it has against the client's journal: every document that was
 * accepted is there, once, and whole.
 */
export async function killAgainAndAgain(t: Test, rag: RagProcess, kills: number) {
  /** The client's own journal: what was answered with 202. */
  const accepted: { token: string; id: string; job_id: string }[] = []
  for (let life = 0; life < kills; life++) {
    await rag.start()
    const uploads = Array.from({ length: DOCUMENTS_PER_LIFE }, async (_, i) => {
      const token = `zebra${life}x${i}`
      const text = textOf(token, i === 0 ? 40 : 4)
      const reply = await rag.send('POST', '/documents', { title: token, text }).catch(() => undefined)
      if (reply?.status === 202) accepted.push({ token, ...reply.body.documents[0] })
    })
    // Dies after some answers: while others are being written down, and jobs of this life and of those before are under way.
    await Promise.all(uploads.slice(0, DOCUMENTS_PER_LIFE - 2))
    if (life % 2) await halfEmbedded(rag, accepted.find(({ token }) => token === `zebra${life}x0`)?.job_id ?? '')
    await rag.end('SIGKILL')
    await Promise.all(uploads)
  }
  await rag.start()
  t.ok(accepted.length >= kills * (DOCUMENTS_PER_LIFE - 2), `${accepted.length} were accepted`)
  for (const { job_id, token } of accepted) t.match(await rag.events(job_id), /^event: ready$/m, token)
  for (const { token, id } of accepted) {
    const { body } = await rag.send('POST', '/search', { query: token, mode: 'lexical', top_k: 100 })
    const found = body.passages.filter(({ content }: { content: string }) => content.includes(`${token}:`))
    t.same([...new Set(found.map((one: Reply) => one.document_id))], [id], `${token} is one document`)
    t.equal(new Set(found.map((one: Reply) => one.start_byte)).size, found.length, `${token}: no passage twice`)
    const { body: document } = await rag.send('GET', `/documents/${id}`)
    t.equal(found.length, document.passages, `${token} is whole`)
  }
  const left = (await readdir(join(rag.dataDir, 'tmp'))).filter(name => !name.startsWith('work-'))
  t.same(left, [])
}
