// A real Envoy on the rendered configuration, in front of whatever listens on three ports, and the means to ask it.
import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises'
import { request as httpRequest, type IncomingHttpHeaders, type RequestOptions } from 'node:http'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { setTimeout as pause } from 'node:timers/promises'
import type { Test } from 'tap'
import { type EnvoyValues, envoyCommand, renderEnvoy } from '../../deploy/envoy.ts'
import { freePorts } from '../../deploy/ports.ts'
import { selfSigned } from '../../deploy/tls.ts'

export type Service = 'auth' | 'agent' | 'rag'

const START_MS_MAX = 20_000
const LOOK_EVERY_MS = 20

export interface Asked extends RequestOptions {
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

export interface RunningEnvoy {
  port: number
  tlsPort: number
  adminPort: number
  /** The PEM file of the TLS door's self-signed certificate. */
  certificate: string
  pid: number
  /** Sends a path exactly as it is written, without the client's own normalising. */
  ask(path: string, options?: Asked): Promise<Reply>
  admin(path: string, method?: string): Promise<Reply>
  /** Everything Envoy wrote so far: the access log and its own words. */
  log(): string
}

export interface EnvoyOptions {
  values?: Partial<EnvoyValues>
  /** Rewrites the rendered configuration, such as a bound that a test cannot reach otherwise. */
  config?: (text: string) => string
  /** Rewrites the rendered clusters, as an operator who adds a line would. */
  clusters?: (text: string, services: Record<Service, number>) => string
}

/** Starts Envoy in front of these ports, ready to serve; it ends with the test. */
export async function startEnvoy(
  t: Pick<Test, 'teardown'>,
  services: Record<Service, number>,
  { values, config, clusters }: EnvoyOptions = {},
): Promise<RunningEnvoy> {
  const folder = await mkdtemp(join(tmpdir(), 'edge-'))
  t.teardown(() => rm(folder, { recursive: true, force: true }))
  const { gateway: port, tls: tlsPort, admin: adminPort } = await freePorts(services)
  const pair = await selfSigned(folder)
  const rendered = await renderEnvoy(
    {
      GATEWAY_HOST: '127.0.0.1',
      GATEWAY_PORT: port,
      GATEWAY_TLS_HOST: '127.0.0.1',
      GATEWAY_TLS_PORT: tlsPort,
      ...pair,
      TRUSTED_HOPS: 0,
      ADMIN_PORT: adminPort,
      AUTH_HOST: '127.0.0.1',
      AUTH_PORT: services.auth,
      AGENT_HOST: '127.0.0.1',
      AGENT_PORT: services.agent,
      RAG_HOST: '127.0.0.1',
      RAG_PORT: services.rag,
      JWKS_CACHE_S: 600,
      ...values,
    },
    folder,
  )
  for (const [file, rewrite] of [
    [rendered.config, config],
    [rendered.clusters, clusters],
  ] as const) {
    if (rewrite) await writeFile(file, rewrite(await readFile(file, 'utf8'), services))
  }
  const { command, args } = await envoyCommand(rendered)
  const envoy = spawn(command, [...args, '--file-flush-interval-msec', '50'], { stdio: ['ignore', 'pipe', 'pipe'] })
  let written = ''
  for (const stream of [envoy.stdout, envoy.stderr]) stream.setEncoding('utf8').on('data', text => (written += text))
  t.teardown(async () => {
    const ended = once(envoy, 'exit')
    if (envoy.exitCode === null && envoy.kill('SIGKILL')) await ended
  })

  const admin = (path: string, method = 'GET') => askAt(adminPort, path, { method })
  const late = Date.now() + START_MS_MAX
  while ((await admin('/ready').catch(() => undefined))?.status !== 200) {
    if (envoy.exitCode !== null || Date.now() > late) throw new Error(`Envoy did not start:\n${written}`)
    await pause(LOOK_EVERY_MS)
  }
  return {
    port,
    tlsPort,
    adminPort,
    certificate: pair.TLS_CERTIFICATE,
    pid: Number(envoy.pid),
    ask: (path, options) => askAt(port, path, options),
    admin,
    log: () => written,
  }
}

/** Gives services second addresses: for each the one line more that README.md says it takes. */
export const withReplicas = (seconds: Partial<Record<Service, number>>): NonNullable<EnvoyOptions['clusters']> => {
  return (text, services) =>
    text.replace(/^.*socket_address.*$/gm, line => {
      const [name] = Object.entries(services).find(([, port]) => line.includes(`port_value: ${port} `)) ?? []
      const second = seconds[name as Service]
      return second ? `${line}\n${line.replace(String(services[name as Service]), String(second))}` : line
    })
}

/** One request to a port of this machine, on a connection of its own unless an agent is given. */
export function askAt(port: number, path: string, { body, ...options }: Asked = {}): Promise<Reply> {
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
