// Auth on a Redis of its own with one admin, and a short way to ask it.
import Fastify, { type InjectOptions } from 'fastify'
import Type from 'typebox'
import { loadConfig, type SharedConfig, shared } from '../../src/platform/config.ts'
import { registerRedis } from '../../src/platform/redis.ts'
import type { App } from '../../src/platform/service.ts'
import { type PrivateRedis, privateRedis } from '../support/redis.ts'
import { auth, environment, password, signedIn } from '../support/services.ts'

interface Teardown {
  teardown(action: () => unknown): void
}

export interface Answer {
  status: number
  // biome-ignore lint/suspicious/noExplicitAny: replies are matched, not typed
  body: any
  headers: Record<string, unknown>
}
export type Ask = (
  method: NonNullable<InjectOptions['method']>,
  url: string,
  payload?: object,
  more?: InjectOptions,
) => Promise<Answer>

/** Asks `app` with `headers` sent each time. */
export function asking(app: App, headers: Record<string, string> = {}): Ask {
  return async (method, url, payload, more = {}) => {
    const reply = await app.inject({ method, url, payload, ...more, headers: { ...headers, ...more.headers } })
    const json = reply.body !== '' && String(reply.headers['content-type']).startsWith('application/json')
    return { status: reply.statusCode, headers: reply.headers, body: json ? reply.json() : reply.body }
  }
}

export interface Person {
  user_id: string
  session_id: string
  token: string
  refresh_token: string
  headers: { authorization: string }
  ask: Ask
}

/** Registers (unless that was done) and signs in at `app`. */
export async function personAt(app: App, username: string): Promise<Person> {
  const { user_info, ...session } = await signedIn(app, username)
  return { ...session, user_id: user_info.user_id, ask: asking(app, session.headers) }
}

/** One auth with the admin `root`; `replica` starts another on the same Redis and secrets. */
export async function house(t: Teardown, more: Record<string, string> = {}, onRedis?: PrivateRedis) {
  const redis = onRedis ?? (await privateRedis(t))
  const env = environment(redis, { ADMIN_USERNAME: 'root', ADMIN_PASSWORD: password, ...more })
  const { app, url } = await auth(t, env)
  return {
    redis,
    env,
    app,
    url,
    ask: asking(app),
    person: (username: string) => personAt(app, username),
    admin: await personAt(app, 'root'),
    replica: async (changes: Record<string, string> = {}) => (await auth(t, { ...env, ...changes })).app,
  }
}

/** A connection to the Redis of `env` beside those of the services. */
export async function connection(t: Teardown, env: NodeJS.ProcessEnv) {
  const client = Fastify()
  t.teardown(() => client.close())
  await registerRedis(client, loadConfig(Type.Object(shared), env) as SharedConfig)
  return client.redis
}

/** Ten failures at once, all admitted before the first is counted: the name is locked for half a minute, longer than the slowest answer takes. */
export const lockOut = (fail: () => Promise<unknown>) => Promise.all(Array.from({ length: 10 }, fail))

/** Waits until `state` is true; fails when that takes longer than half a minute, which a busy machine may need. */
export async function until(state: () => boolean | Promise<boolean>) {
  const late = Date.now() + 30_000
  while (!(await state())) {
    if (Date.now() > late) throw new Error('it did not become so')
    await new Promise(resolve => setTimeout(resolve, 5))
  }
}
