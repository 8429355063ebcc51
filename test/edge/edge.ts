// A real Envoy on the rendered configuration, in front of three upstreams that note what reaches them and answer as a test tells
// them. What is under test here is the edge alone: no service of ours runs.
import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises'
import { request as httpRequest, type IncomingHttpHeaders, type RequestOptions } from 'node:http'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { setTimeout as pause } from 'node:timers/promises'
import { exportJWK, generateKeyPair, type JWTPayload, SignJWT } from 'jose'
import type { Test } from 'tap'
import { type EnvoyValues, envoyCommand, renderEnvoy } from '../../deploy/envoy.ts'
import { freePorts } from '../../deploy/ports.ts'
import { AUDIENCE, ISSUER, TOKEN_TYPE } from '../../src/contracts/claims.ts'
import { type Noted, startUpstream, type Upstream } from './upstream.ts'

export type Service = 'auth' | 'agent' | 'rag'

const START_MS_MAX = 20_000
const LOOK_EVERY_MS = 20

/** An API key of the shape auth gives out; the edge lets it through to the service's own check. */
export const API_KEY = `ak_${'0123456789abcdef'.repeat(3)}${'A'.repeat(43)}`

interface Asked extends RequestOptions {
  headers?: Record<string, string | string[] | number>
  body?: string | Uint8Array
}

export interface Reply {
  status: number
  headers: IncomingHttpHeaders
  bytes: Buffer
  text: string
  json: Record<string, unknown>
}

export interface Edge extends Record<Service, Upstream> {
  port: number
  /** Sends a path exactly as it is written, without the client's own normalising. */
  ask(path: string, options?: Asked): Promise<Reply>
  /** The same with a valid user's token. */
  askAs(role: string, path: string, options?: Asked): Promise<Reply>
  /** A token of the published key; every claim can be replaced, `undefined` leaves one out. */
  token(claims?: JWTPayload): Promise<string>
  /** What reached any service since the last time this was asked. */
  heard(): (Noted & { service: Service })[]
  admin(path: string, method?: string): Promise<Reply>
  /** Everything Envoy wrote so far: the access log and its own words. */
  log(): string
}

export interface EdgeOptions {
  values?: Partial<EnvoyValues>
  /** Auth listens only once the test starts it. */
  authAway?: true
  /** Writes the rendered clusters anew, as an operator who adds a line would. */
  clusters?: (text: string, edge: Record<Service, Upstream>) => string
}

/** Starts upstreams and Envoy, ready to serve; all of it ends with the test. */
export async function startEdge(t: Test, { values, authAway, clusters }: EdgeOptions = {}): Promise<Edge> {
  const folder = await mkdtemp(join(tmpdir(), 'edge-'))
  t.teardown(() => rm(folder, { recursive: true, force: true }))
  const { privateKey, publicKey } = await generateKeyPair('EdDSA', { crv: 'Ed25519' })
  const key = { ...(await exportJWK(publicKey)), kid: 'k1', alg: 'EdDSA', use: 'sig' }

  const [auth, agent, rag] = [await startUpstream(), await startUpstream(), await startUpstream()]
  auth.keys = [key]
  const { gateway: port, admin: adminPort } = await freePorts({ auth: auth.port, agent: agent.port, rag: rag.port })
  const rendered = await renderEnvoy(
    {
      GATEWAY_HOST: '127.0.0.1',
      GATEWAY_PORT: port,
      ADMIN_PORT: adminPort,
      AUTH_HOST: '127.0.0.1',
      AUTH_PORT: auth.port,
      AGENT_HOST: '127.0.0.1',
      AGENT_PORT: agent.port,
      RAG_HOST: '127.0.0.1',
      RAG_PORT: rag.port,
      JWKS_CACHE_S: 600,
      ...values,
    },
    folder,
  )
  if (clusters) await writeFile(rendered.clusters, clusters(await readFile(rendered.clusters, 'utf8'), { auth, agent, rag }))
  if (authAway) await auth.stop()
  const { command, args } = await envoyCommand(rendered)
  const envoy = spawn(command, [...args, '--file-flush-interval-msec', '50'], { stdio: ['ignore', 'pipe', 'pipe'] })
  let written = ''
  for (const stream of [envoy.stdout, envoy.stderr]) stream.setEncoding('utf8').on('data', text => (written += text))
  t.teardown(async () => {
    const ended = once(envoy, 'exit')
    if (envoy.exitCode === null && envoy.kill('SIGKILL')) await ended
    await Promise.all([auth.stop(), agent.stop(), rag.stop()])
  })

  const admin = (path: string, method = 'GET') => ask(adminPort, path, { method })
  const late = Date.now() + START_MS_MAX
  while ((await admin('/ready').catch(() => undefined))?.status !== 200) {
    if (envoy.exitCode !== null || Date.now() > late) throw new Error(`Envoy did not start:\n${written}`)
    await pause(LOOK_EVERY_MS)
  }

  const token = (claims: JWTPayload = {}) => {
    const now = Math.floor(Date.now() / 1000)
    const usual = {
      iss: ISSUER,
      aud: AUDIENCE,
      sub: 'a'.repeat(32),
      sid: 'b'.repeat(32),
      jti: 'c',
      role: 'user',
      iat: now,
      exp: now + 900,
    }
    return new SignJWT({ ...usual, ...claims }).setProtectedHeader({ alg: 'EdDSA', kid: 'k1', typ: TOKEN_TYPE }).sign(privateKey)
  }
  return {
    port,
    auth,
    agent,
    rag,
    ask: (path, options) => ask(port, path, options),
    askAs: async (role, path, options = {}) =>
      ask(port, path, { ...options, headers: { authorization: `Bearer ${await token({ role })}`, ...options.headers } }),
    token,
    heard: () =>
      Object.entries({ auth, agent, rag }).flatMap(([service, { noted }]) =>
        noted.splice(0).map(one => ({ service: service as Service, ...one })),
      ),
    admin,
    log: () => written,
  }
}

/** One request on a connection of its own. */
function ask(port: number, path: string, { body, ...options }: Asked = {}): Promise<Reply> {
  const headers = body === undefined ? options.headers : { 'content-length': Buffer.byteLength(body), ...options.headers }
  return new Promise((resolve, reject) => {
    const request = httpRequest({ host: '127.0.0.1', port, path, agent: false, ...options, headers }, async response => {
      try {
        const bytes = Buffer.concat(await response.toArray())
        const text = bytes.toString()
        const isJson = /^application\/json/.test(response.headers['content-type'] ?? '') && !response.headers['content-encoding']
        resolve({
          status: response.statusCode ?? 0,
          headers: response.headers,
          bytes,
          text,
          json: isJson && text ? JSON.parse(text) : {},
        })
      } catch (error) {
        reject(error)
      }
    })
    request.on('error', reject)
    request.end(body)
  })
}
