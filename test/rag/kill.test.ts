// Rag as a process of its own, killed with SIGKILL while it takes in documents: what it accepted is there afterwards, once and whole.
import { type ChildProcess, spawn } from 'node:child_process'
import { once } from 'node:events'
import { mkdtemp, readdir, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import t from 'tap'
import { freePort, privateRedis } from '../support/redis.ts'
import { auth, environment, signedIn } from '../support/services.ts'
import { modelsDir } from './house.ts'

const KILLS = 4
const DOCUMENTS_PER_LIFE = 4

const redis = await privateRedis(t)
const env = environment(redis, { LIMIT_UPLOAD_PER_MIN: '0' })
const { app: authApp, url: authUrl } = await auth(t, env)
const { headers } = await signedIn(authApp, 'ann')
const dataDir = await mkdtemp(join(tmpdir(), 'rag-'))
const port = await freePort()
const url = `http://127.0.0.1:${port}`
let child: ChildProcess
t.teardown(async () => {
  await kill()
  await rm(dataDir, { recursive: true, force: true })
})

async function start() {
  child = spawn(process.execPath, [join(import.meta.dirname, '../../src/rag/main.ts')], {
    env: {
      ...env,
      AUTH_SERVICE_URL: authUrl,
      RAG_SERVICE_PORT: `${port}`,
      RAG_DATA_DIR: dataDir,
      RAG_MODELS_DIR: modelsDir,
      RAG_FREE_BYTES_MIN: '0',
    },
    stdio: ['ignore', 'ignore', 'inherit'],
  })
  while ((await fetch(`${url}/ready`).catch(() => undefined))?.status !== 200) {
    if (child.exitCode !== null) throw new Error(`rag ended with ${child.exitCode}`)
    await new Promise(setImmediate)
  }
}

async function kill() {
  if (child.exitCode !== null || child.signalCode !== null) return
  child.kill('SIGKILL')
  await once(child, 'exit')
}

// biome-ignore lint/suspicious/noExplicitAny: replies are matched, not typed
type Reply = any

async function send(method: string, path: string, body?: object) {
  const reply = await fetch(url + path, {
    method,
    headers: { ...headers, ...(body && { 'content-type': 'application/json' }) },
    body: body && JSON.stringify(body),
  })
  return { status: reply.status, body: (await reply.json()) as Reply }
}

/** Passages with the word `token` in each. */
const textOf = (token: string, passages = 12) =>
  Array.from(
    { length: passages },
    (_, i) => `Passage ${i} of ${token}: ${'the harbour lies in the evening light '.repeat(15)}.`,
  ).join('\n\n')

/** Resolves when some of a job's passages are embedded and some are not, or when it has ended. */
async function halfEmbedded(job: string) {
  const { body } = await fetch(`${url}/jobs/${job}/events`, { headers })
  for await (const part of body ?? []) if (/"stage":"embedding","done":[1-9]/.test(Buffer.from(part).toString())) return
}

t.test('killed again and again while it takes documents in, it loses none, shows none by halves and none twice', async t => {
  /** The client's own journal: what was answered with 202. */
  const accepted: { token: string; id: string; job_id: string }[] = []
  for (let life = 0; life < KILLS; life++) {
    await start()
    const uploads = Array.from({ length: DOCUMENTS_PER_LIFE }, async (_, i) => {
      const token = `zebra${life}x${i}`
      const reply = await send('POST', '/documents', { title: token, text: textOf(token, i === 0 ? 80 : 12) }).catch(
        () => undefined,
      )
      if (reply?.status === 202) accepted.push({ token, id: reply.body.documents[0].id, job_id: reply.body.documents[0].job_id })
    })
    // Dies after some answers: while others are being written down, and jobs of this life and of those before are under way.
    await Promise.all(uploads.slice(0, DOCUMENTS_PER_LIFE - 2))
    if (life % 2) await halfEmbedded(accepted.find(({ token }) => token === `zebra${life}x0`)?.job_id ?? '')
    await kill()
    await Promise.all(uploads)
  }
  await start()
  t.ok(accepted.length >= KILLS * (DOCUMENTS_PER_LIFE - 2))
  for (const { job_id, token } of accepted) {
    const events = await (await fetch(`${url}/jobs/${job_id}/events`, { headers })).text()
    t.match(events, /^event: ready$/m, token)
  }
  for (const { token, id } of accepted) {
    const { body } = await send('POST', '/search', { query: token, mode: 'lexical', top_k: 100 })
    const found = body.passages.filter(({ content }: { content: string }) => content.includes(token))
    t.same([...new Set(found.map(({ document_id }: { document_id: string }) => document_id))], [id], `${token} is one document`)
    t.equal(
      new Set(found.map(({ start_byte }: { start_byte: number }) => start_byte)).size,
      found.length,
      `${token}: no passage twice`,
    )
    const { body: document } = await send('GET', `/documents/${id}`)
    t.equal(found.length, document.passages, `${token} is whole`)
  }
  const listed = await send('GET', '/documents?limit=200')
  t.ok(accepted.every(({ id }) => listed.body.documents.some((one: { id: string }) => one.id === id)))
  t.same(
    (await readdir(join(dataDir, 'tmp'))).filter(name => !name.startsWith('work-')),
    [],
  )
})

t.test('a second rag on the same folder refuses to start and says why', async t => {
  const second = spawn(process.execPath, [join(import.meta.dirname, '../../src/rag/main.ts')], {
    env: { ...env, AUTH_SERVICE_URL: authUrl, RAG_SERVICE_PORT: '0', RAG_DATA_DIR: dataDir, RAG_MODELS_DIR: modelsDir },
    stdio: ['ignore', 'ignore', 'pipe'],
  })
  let said = ''
  second.stderr?.on('data', part => (said += part))
  const [code] = await once(second, 'exit')
  t.equal(code, 1)
  t.match(said, /^Another rag process has the data folder .*; stop it first/)
})

t.test('asked to stop, it drains and ends with 0, and a job under way goes on at the next start', async t => {
  const { body } = await send('POST', '/documents', { title: 'later', text: textOf('later') })
  child.kill('SIGTERM')
  const [code] = await once(child, 'exit')
  t.equal(code, 0)
  await start()
  const events = await (await fetch(`${url}/jobs/${body.documents[0].job_id}/events`, { headers })).text()
  t.match(events, /^event: ready$/m)
})
