// The edge as a part: fills the closed list of `${NAME}` into envoy/*.yaml, has Envoy validate the result, starts it, and drains it
// before it stops. Envoy itself reads no environment.
import { execFile } from 'node:child_process'
import { globSync } from 'node:fs'
import { mkdir, readFile, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { setTimeout as pause } from 'node:timers/promises'
import { promisify } from 'node:util'
import type { PartPlan } from './part.ts'

/** Everything envoy/*.yaml may ask for. */
const NAMES = [
  'GATEWAY_HOST',
  'GATEWAY_PORT',
  'GATEWAY_TLS_HOST',
  'GATEWAY_TLS_PORT',
  'TLS_CERTIFICATE',
  'TLS_KEY',
  'TRUSTED_HOPS',
  'ADMIN_PORT',
  'AUTH_HOST',
  'AUTH_PORT',
  'AGENT_HOST',
  'AGENT_PORT',
  'RAG_HOST',
  'RAG_PORT',
  'JWKS_CACHE_S',
] as const

/** Where the services are: which envoy/clusters.<where>.yaml. */
export type Where = 'local' | 'compose'

export type EnvoyValues = Record<(typeof NAMES)[number], string | number>

/** What a value looks like, so that none changes the YAML around it; a path stands in double quotes there. */
const HOST_OR_NUMBER = /^[\w.:-]+$/
const PATH = /^\/[^"\\\p{Cc}]+$/u

/** Worker threads of Envoy. */
const CONCURRENCY = 2
/** How long the edge says that it leaves before its doors close, in milliseconds, or this long without a request. */
const DRAIN_MS_MAX = 5_000
const QUIET_MS = 500
/** Longest wait for requests under way after that, in milliseconds; as long as a service gives its own. */
const REQUEST_MS_MAX = 10_000
const DRAIN_LOOK_EVERY_MS = 50
const ADMIN_MS_MAX = 500

/** Where a rendered configuration lies: the base, and the clusters laid over it. */
export interface RenderedEnvoy {
  config: string
  clusters: string
}

/**
 * Renders envoy/envoy.yaml and envoy/clusters.<where>.yaml of the checkout into `folder`. Throws one Error that names every
 * placeholder that is not in the closed list and every one without a value.
 */
export async function renderEnvoy(values: Partial<EnvoyValues>, folder: string, where: Where = 'local'): Promise<RenderedEnvoy> {
  const source = join(import.meta.dirname, '..', 'envoy')
  await mkdir(folder, { recursive: true })
  const render = async (name: string) => {
    const rendered = substitute(await readFile(join(source, name), 'utf8'), values, `envoy/${name}`)
    const path = join(folder, name)
    await writeFile(path, rendered)
    return path
  }
  return { config: await render('envoy.yaml'), clusters: await render(`clusters.${where}.yaml`) }
}

/** Puts the values in, comments left as they are; pure. `name` is what the text is called in the error. */
export function substitute(text: string, values: Partial<EnvoyValues>, name: string): string {
  const faults: string[] = []
  const filled = text.replace(/^\s*#.*$|\$\{([^}]*)\}/gm, (placeholder, variable?: string) => {
    if (variable === undefined) return placeholder
    const known = NAMES.find(listed => listed === variable)
    const value = known && values[known]
    if (!known) faults.push(`${placeholder} is not one of ${NAMES.join(', ')}`)
    else if (value === undefined || value === '') faults.push(`${placeholder} has no value`)
    else if (known === 'TLS_CERTIFICATE' || known === 'TLS_KEY') {
      if (!PATH.test(String(value))) faults.push(`${placeholder} would be "${value}", which is not an absolute path`)
    } else if (!HOST_OR_NUMBER.test(String(value)))
      faults.push(`${placeholder} would be "${value}", which is neither a host nor a number`)
    return String(value)
  })
  if (faults.length > 0) throw new Error(`${name} cannot be rendered: ${[...new Set(faults)].join('; ')}.`)
  return filled
}

/** How to run Envoy on a rendered configuration; add `--mode validate` to check it only. */
export async function envoyCommand({ config, clusters }: RenderedEnvoy): Promise<{ command: string; args: string[] }> {
  const [command] = globSync(join(import.meta.dirname, '..', 'run/venv/lib/python3*/site-packages/envoy/_bin/envoy'))
  if (!command) throw new Error('Envoy is not installed: run make setup.')
  const overlay = await readFile(clusters, 'utf8')
  const drain = ['--drain-time-s', String(DRAIN_MS_MAX / 1000), '--drain-strategy', 'immediate', '--disable-hot-restart']
  const args = [
    '--config-path',
    config,
    '--config-yaml',
    overlay,
    '--concurrency',
    String(CONCURRENCY),
    '--log-level',
    'warn',
    ...drain,
  ]
  return { command, args }
}

/** Has Envoy check a rendered configuration whole. Rejects with what it says against it. */
export async function validateEnvoy(rendered: RenderedEnvoy): Promise<void> {
  const { command, args } = await envoyCommand(rendered)
  await promisify(execFile)(command, [...args, '--mode', 'validate']).catch(error => {
    throw new Error(`Envoy refuses its configuration: ${error.stderr?.trim() || error.message}`)
  })
}

/**
 * The plan of the edge with its admin page on `adminPort`; starts once auth is there, because it reads auth's keys first. `values` is
 * asked at every start.
 */
export function envoyPart(adminPort: number, values: () => Promise<EnvoyValues>, folder: string): PartPlan {
  const admin = (path: string, method = 'GET') =>
    fetch(`http://127.0.0.1:${adminPort}${path}`, { method, signal: AbortSignal.timeout(ADMIN_MS_MAX) })
  return {
    name: 'envoy',
    after: ['auth'],
    sources: ['envoy'],
    async launch() {
      const rendered = await renderEnvoy(await values(), folder)
      await validateEnvoy(rendered)
      return { ...(await envoyCommand(rendered)), env: {}, cwd: folder }
    },
    ready: async () => (await admin('/ready')).ok,
    async drain() {
      await admin('/healthcheck/fail', 'POST')
      await admin('/drain_listeners?graceful', 'POST')
      // The doors close by themselves after DRAIN_MS_MAX; sooner when nobody has asked for anything for a while.
      const since = Date.now()
      let quietFrom = since
      let asked = -1
      while (Date.now() < since + DRAIN_MS_MAX + REQUEST_MS_MAX) {
        const { under, total } = requests(await (await admin('/stats?filter=downstream_rq_(active|total)')).text())
        if (under > 0 || total !== asked) quietFrom = Date.now()
        asked = total
        const closed = Date.now() > since + DRAIN_MS_MAX
        if (under === 0 && (closed || Date.now() > quietFrom + QUIET_MS)) return
        await pause(DRAIN_LOOK_EVERY_MS)
      }
    },
  }
}

/** Requests under way and those that ever came, from Envoy's text of counters, its own admin page left out. */
function requests(stats: string): { under: number; total: number } {
  const sum = (name: string) =>
    [...stats.matchAll(new RegExp(`^http\\.(?!admin\\.).*\\.downstream_rq_${name}: (\\d+)$`, 'gm'))].reduce(
      (all, [, count]) => all + Number(count),
      0,
    )
  return { under: sum('active'), total: sum('total') }
}
