// A person at the edge: registers, signs in, uploads, asks, over HTTP and nothing else.
import { setTimeout as pause } from 'node:timers/promises'
import { isDeepStrictEqual } from 'node:util'

const JOB_MS_MAX = 60_000
const JOB_EVERY_MS = 50
/** Longest that a busy machine is waited for, asked every so often, in milliseconds. */
const BUSY_MS_MAX = 10_000
const BUSY_EVERY_MS = 100

const password = 'correct horse battery'

export interface Reply {
  status: number
  headers: Headers
  text: string
  // biome-ignore lint/suspicious/noExplicitAny: replies are matched, not typed
  body: any
}

export interface Person {
  token: string
  refresh_token: string
  user_id: string
  /** One request as this person; `body` is sent as JSON, or as it is when it is a form. */
  send(method: string, path: string, body?: unknown, headers?: Record<string, string>): Promise<Reply>
  upload(...files: { name: string; bytes: Uint8Array | string }[]): Promise<Reply>
  /** Waits until the job is done, well or badly, and gives it. */
  settled(jobId: string): Promise<Reply>
}

/** One request without a token. */
export async function send(
  url: string,
  method: string,
  path: string,
  body?: unknown,
  headers: Record<string, string> = {},
): Promise<Reply> {
  const json = body !== undefined && !(body instanceof FormData)
  const reply = await fetch(url + path, {
    method,
    headers: { ...(json && { 'content-type': 'application/json' }), ...headers },
    body: json ? JSON.stringify(body) : (body as FormData | undefined),
  })
  const text = await reply.text()
  const isJson = reply.headers.get('content-type')?.startsWith('application/json')
  return { status: reply.status, headers: reply.headers, text, body: isJson && text ? JSON.parse(text) : undefined }
}

/** Asks the edge how the services are until it tells what is wanted, and gives its last reply: of one too busy to answer in time it says "down". */
export async function healthOnce(url: string, services: Record<'auth' | 'agent' | 'rag', 'up' | 'down'>): Promise<Reply> {
  const late = Date.now() + BUSY_MS_MAX
  while (true) {
    const reply = await send(url, 'GET', '/health')
    if (isDeepStrictEqual(reply.body?.services, services) || Date.now() > late) return reply
    await pause(BUSY_EVERY_MS)
  }
}

/** Asks as the refusal says to: again, as long as the service is unavailable. For what a test needs first, never for what it is about. */
export async function onceAvailable<R>(ask: () => Promise<R>, status: (reply: R) => number): Promise<R> {
  const late = Date.now() + BUSY_MS_MAX
  let reply = await ask()
  while (status(reply) === 503 && Date.now() < late) {
    await pause(BUSY_EVERY_MS)
    reply = await ask()
  }
  return reply
}

/** Registers (unless that was done) and signs in. */
export async function person(url: string, username: string, secret = password): Promise<Person> {
  const post = (path: string) =>
    onceAvailable(
      () => send(url, 'POST', path, { username, password: secret }),
      ({ status }) => status,
    )
  const registered = await post('/auth/register')
  const { body, text } = await post('/auth/login')
  if (!body?.token) throw new Error(`${username} could not sign in: ${text}; on registering: ${registered.text}`)
  const { token, refresh_token, user_info } = body
  const as = (method: string, path: string, sent?: unknown, headers: Record<string, string> = {}) =>
    send(url, method, path, sent, { authorization: `Bearer ${token}`, ...headers })
  return {
    token,
    refresh_token,
    user_id: user_info.user_id,
    send: as,
    upload(...files) {
      const form = new FormData()
      for (const { name, bytes } of files)
        form.append('file', new File([typeof bytes === 'string' ? bytes : new Uint8Array(bytes)], name))
      return as('POST', '/rag/documents', form)
    },
    async settled(jobId) {
      const late = Date.now() + JOB_MS_MAX
      while (Date.now() < late) {
        const job = await as('GET', `/rag/jobs/${jobId}`)
        if (job.status !== 200 || ['ready', 'failed', 'cancelled'].includes(job.body.state)) return job
        await pause(JOB_EVERY_MS)
      }
      throw new Error(`job ${jobId} did not end`)
    },
  }
}
