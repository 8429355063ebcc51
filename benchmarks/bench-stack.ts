// The whole stack in a folder of its own for one benchmark, and people who use it over HTTP alone.
import { fork } from 'node:child_process'
import { once } from 'node:events'
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { setTimeout as pause } from 'node:timers/promises'
import { type Dispatcher, request } from 'undici'
import { type Stack, startStack } from '../deploy/stack.ts'
import type { Order } from './asker.ts'

/** Files of one form. */
const FILES = 100
const LIMITS = [
  'CALLER_PER_MIN',
  'UPLOAD_PER_MIN',
  'ADDRESS_PER_MIN',
  'REGISTER_PER_5MIN',
  'LOGIN_PER_MIN',
  'LOGIN_ACCOUNT_PER_MIN',
]
const OLDER_LIMITS = ['AGENT_PER_MIN', 'RAG_QUERY_PER_MIN']
/** Without the named limits of the services: what is measured is the work, not the refusal. */
export const unlimited = Object.fromEntries([...LIMITS, ...OLDER_LIMITS].map(name => [`LIMIT_${name}`, '0']))

/** Starts a stack, hands it to `measure`, and leaves nothing of it behind, broken off or not. */
export async function onStack(env: Record<string, string>, measure: (stack: Stack) => Promise<void>): Promise<void> {
  const signals = ['SIGINT', 'SIGTERM', 'SIGHUP'] as const
  const brokenOff = Promise.race(signals.map(signal => once(process, signal).then(() => Promise.reject(new Error(signal)))))
  brokenOff.catch(() => undefined)
  const dir = await mkdtemp(join(tmpdir(), 'bench-'))
  progress('starting the stack')
  let stack: Stack | undefined
  try {
    // Some of it takes longer than a token of a quarter of an hour.
    stack = await startStack({ dir, env: { LOG_LEVEL: 'error', TOKEN_EXPIRY_MINUTES: '60', ...env } })
    await Promise.race([measure(stack), brokenOff])
  } finally {
    await stack?.stop()
    await rm(dir, { recursive: true, force: true })
  }
}

export const progress = (text: string) => process.stderr.write(`${text}\n`)

export interface Visitor {
  /** The edge. */
  url: string
  refresh_token: string
  headers: { authorization: string }
  /** What tells the edge where they come from, where that was given. */
  from: Record<string, string>
  /** Signs in once more: a new session, whose tokens are in the answer. */
  signIn(): Promise<Answer>
  /** One request; resolves with its status, its body's text and how long the whole of it took. */
  send(method: string, path: string, body?: unknown, headers?: Record<string, string>): Promise<Answer>
  /** Uploads a text and resolves when it can be found. */
  add(title: string, text: string): Promise<void>
  /** Uploads files, many in one form; resolves with what became of each as soon as they are accepted. */
  addAll(files: File[]): Promise<Entry[]>
  /** How many documents of theirs are still on their way, at least: looked for state by state. */
  waiting(): Promise<number>
}
/** A file that was accepted, or why it was not. */
export type Entry = { id: string; job_id: string; title: string } | { title: string; failure: { code: string } }
export interface Answer {
  status: number
  text: string
  ms: number
}

/** Registers a user with a random password and signs in. `from` stands in X-Forwarded-For, for a stack that trusts a hop. */
export async function visitor(url: string, username: string, from?: string): Promise<Visitor> {
  const account = { username, password: crypto.randomUUID() }
  const origin: Record<string, string> = from ? { 'x-forwarded-for': from } : {}
  const registered = await send(`${url}/auth/register`, 'POST', account, origin)
  if (registered.status !== 201) throw new Error(`register: ${registered.status} ${registered.text}`)
  const signIn = () => send(`${url}/auth/login`, 'POST', account, origin)
  const { token, refresh_token } = JSON.parse(good(await signIn()).text)
  const headers = { authorization: `Bearer ${token}`, ...origin }
  const as: Visitor['send'] = (method, path, body, more) => send(url + path, method, body, { ...headers, ...more })
  return {
    url,
    refresh_token,
    headers,
    from: origin,
    signIn,
    send: as,
    async add(title, text) {
      const { status, text: reply } = await as('POST', '/rag/documents', { title, text })
      if (status !== 202) throw new Error(`upload: ${status} ${reply}`)
      const job = JSON.parse(reply).documents[0].job_id
      for (let state = 'queued'; state !== 'ready'; await pause(50)) {
        state = JSON.parse(good(await as('GET', `/rag/jobs/${job}`)).text).state
        if (state === 'failed') throw new Error(`the upload of ${title} failed`)
      }
    },
    async addAll(files) {
      const entries: Entry[] = []
      for (let at = 0; at < files.length; at += FILES) {
        const body = new FormData()
        for (const file of files.slice(at, at + FILES)) body.append('file', file)
        const reply = await fetch(`${url}/rag/documents`, { method: 'POST', headers, body })
        const text = await reply.text()
        if (reply.status !== 202) throw new Error(`upload: ${reply.status} ${text}`)
        entries.push(...JSON.parse(text).documents)
      }
      return entries
    },
    async waiting() {
      let count = 0
      for (const state of ['queued', 'extracting', 'embedding'])
        count += JSON.parse(good(await as('GET', `/rag/documents?state=${state}&limit=1`)).text).documents.length
      return count
    },
  }
}

/** A request and the whole of its reply. By undici: fetch takes a millisecond for itself, which would count as the service's. */
export async function send(url: string, method: string, body?: unknown, headers: Record<string, string> = {}): Promise<Answer> {
  const began = performance.now()
  const reply = await request(url, {
    method: method as Dispatcher.HttpMethod,
    headers: { ...(body !== undefined && { 'content-type': 'application/json' }), ...headers },
    body: body === undefined ? undefined : JSON.stringify(body),
  })
  const text = await reply.body.text()
  return { status: reply.statusCode, text, ms: performance.now() - began }
}

/** The answer, unless it is a refusal: one that is quick would pass for a quick answer. */
export function good(answer: Answer): Answer {
  if (answer.status !== 200) throw new Error(`refused: ${answer.status} ${answer.text}`)
  return answer
}

/** How long searches took that a process of its own asked, one after the other, as a person does: this one is busy with what else it measures. */
export async function searchesElsewhere(
  { url, headers }: Pick<Visitor, 'url' | 'headers'>,
  how: Omit<Order, 'url' | 'headers'>,
): Promise<number[]> {
  const asker = fork(join(import.meta.dirname, 'asker.ts'), { detached: true })
  asker.send({ url, headers, ...how } satisfies Order)
  const [times] = await Promise.race([once(asker, 'message'), once(asker, 'exit')])
  if (!Array.isArray(times)) throw new Error('The searches ended early')
  return times
}

/** The value below which a share of them lies, by rank. */
export function percentile(values: number[], share: number): number {
  const ordered = values.toSorted((a, b) => a - b)
  return ordered[Math.min(ordered.length - 1, Math.floor(ordered.length * share))] ?? 0
}

/**
 * The longest that rag's event loop was held up since it was last asked, in milliseconds, at most: it is looked at every 10 ms, which are in
 * it. `rag` is its own address.
 */
export async function eventLoopMax(rag: string): Promise<number> {
  const { text } = await send(`${rag}/metrics`, 'GET')
  return Number(/^nodejs_eventloop_lag_max_seconds (\S+)$/m.exec(text)?.[1]) * 1000
}
