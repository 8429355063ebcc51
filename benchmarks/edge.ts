// What the edge costs: one small GET of the same service, public and with a token, asked directly, through Envoy with everything on, through
// an Envoy that only passes on, and through a gateway written by hand, as its packages come and remembering the tokens it has verified, as
// Envoy and the services do. Rounds take turns, so that what else the machine does falls on all alike.
import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { rmSync } from 'node:fs'
import { mkdtemp, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { setTimeout as pause } from 'node:timers/promises'
import { parseArgs } from 'node:util'
import autocannon, { type Result } from 'autocannon'
import { envoyCommand } from '../deploy/envoy.ts'
import { freePorts } from '../deploy/ports.ts'
import { onStack, percentile, progress, unlimited, visitor } from './bench-stack.ts'
import { type Row, report, rowOf } from './report.ts'

const { values } = parseArgs({
  options: {
    rounds: { type: 'string', default: '7' },
    seconds: { type: 'string', default: '3' },
    connections: { type: 'string', default: '32' },
  },
})
const rounds = Number(values.rounds)
const seconds = Number(values.seconds)
const connections = Number(values.connections)

/** Counted as in production, but never reached. */
const counted = Object.fromEntries(Object.keys(unlimited).map(name => [name, '1000000000']))
const routes = { public: '/health', authenticated: '/status' } as const
const doors = ['direct', 'bare envoy', 'envoy', 'gateway', 'remembering gateway'] as const
/** Verified tokens that gateway remembers. */
const REMEMBERED = 10_000
/** Longest wait for the Envoy that only passes on to answer, in milliseconds. */
const START_MS_MAX = 10_000
/** What the other services answer to someone signed in; of auth it is who she is, for it has no status. */
const elsewhere = ['/auth/me', '/rag/status'] as const
/** The authenticated one, asked over one connection: of many at once, how long one takes is how many the machine gets done, told again. */
const ALONE = 'authenticated alone'
interface Target {
  port: number
  path: string
  headers: Record<string, string>
}
interface Run {
  perSecond: number
  /** Milliseconds, one for each answer. */
  ms: number[]
}
type Kind = keyof typeof routes | (typeof elsewhere)[number] | typeof ALONE
type Name = `${Kind} ${(typeof doors)[number]}`

await onStack(counted, async ({ url, ports }) => {
  const { headers } = await visitor(url, 'bench')
  const services = [ports.auth, ports.agent, ports.rag]
  const others = await Promise.all([startBareEnvoy(ports.agent), startGateway(services, 0), startGateway(services, REMEMBERED)])
  try {
    const [bare, plain, remembering] = others.map(other => other.port) as [number, number, number]
    const port: Record<(typeof doors)[number], number> = {
      direct: ports.agent,
      'bare envoy': bare,
      envoy: ports.gateway,
      gateway: plain,
      'remembering gateway': remembering,
    }
    const runs = new Map<Name, Run[]>()
    // The first round warms what there is to warm and does not count.
    for (let round = 0; round <= rounds; round++) {
      const measure = async (name: Name, target: Target, at = connections) => {
        const run = await ask(target, at)
        progress(`round ${round}/${rounds} ${name}: ${Math.round(run.perSecond)}/s, p50 ${p50(run).toFixed(2)} ms`)
        if (round > 0) runs.set(name, [...(runs.get(name) ?? []), run])
      }
      for (const door of doors) {
        for (const kind of ['public', 'authenticated'] as const) {
          const path = door === 'direct' || door === 'bare envoy' ? routes[kind] : `/agent${routes[kind]}`
          const target = { port: port[door], path, headers: kind === 'public' ? {} : headers }
          await measure(`${kind} ${door}`, target)
          if (kind === 'authenticated') await measure(`${ALONE} ${door}`, target, 1)
        }
      }
      for (const path of elsewhere) {
        const [, service, own] = path.split('/') as ['', 'auth' | 'rag', string]
        await measure(`${path} direct`, { port: ports[service], path: `/${own}`, headers })
        for (const door of ['envoy', 'gateway'] as const) await measure(`${path} ${door}`, { port: port[door], path, headers })
      }
    }
    report({
      name: 'edge',
      claim: `An authenticated small GET through Envoy, its token verified by Envoy and again by the service, is to reach 0.6 of the requests/s of a public one and 1.5 times those of a gateway written by hand with @fastify/http-proxy and @fastify/jwt, and to add 1 ms. ${connections} connections ask at once, but where one asks alone. The bare Envoy only passes on; the remembering gateway keeps the tokens it has verified.`,
      setting: { rounds, seconds, connections },
      rows: rowsOf(runs),
      notClaimed:
        'absolute speed: the load generator and Redis share the cores with everything measured; Envoy has two threads, the gateway one process.',
    })
  } finally {
    for (const { stop } of others) stop()
  }
})

/** One request over and over on every connection, each sent when the answer to the last has come. Rejects when an answer is not of 200 to 299. */
async function ask({ port, path, headers }: Target, connections: number): Promise<Run> {
  const url = `http://127.0.0.1:${port}${path}`
  const ms: number[] = []
  const { errors, non2xx, duration } = await new Promise<Result>((resolve, reject) => {
    const load = autocannon({ url, headers, connections, duration: seconds, sampleInt: 100 }, (error, result) =>
      error ? reject(error) : resolve(result),
    )
    load.on('response', (_client, _status, _bytes, took) => ms.push(took))
  })
  if (errors + non2xx > 0) throw new Error(`${url}: ${errors} errors, ${non2xx} answers other than 200`)
  if (ms.length === 0) throw new Error(`${url}: no answer in ${seconds} s`)
  return { perSecond: ms.length / duration, ms }
}

async function startGateway(services: number[], remembered: number) {
  const script = join(import.meta.dirname, 'hand-written-gateway.ts')
  const gateway = spawn(process.execPath, [script, ...services.map(String), String(remembered)], {
    stdio: ['ignore', 'pipe', 'inherit'],
  })
  process.once('exit', () => gateway.kill())
  const [address] = await once(gateway.stdout, 'data')
  return { port: Number(new URL(String(address)).port), stop: () => gateway.kill() }
}

/** The same Envoy with one route to the agent and no filter but the one that passes on: less than this no edge of Envoy costs. */
async function startBareEnvoy(agent: number) {
  const dir = await mkdtemp(join(tmpdir(), 'bare-envoy-'))
  const port = (await freePorts({})).gateway
  const at = (port_value: number) => ({ socket_address: { address: '127.0.0.1', port_value } })
  const typed = (name: string, type: string, more: object = {}) => ({
    name,
    typed_config: { '@type': `type.googleapis.com/envoy.extensions.filters.${type}`, ...more },
  })
  const manager = typed('http', 'network.http_connection_manager.v3.HttpConnectionManager', {
    stat_prefix: 'bare',
    http_filters: [typed('router', 'http.router.v3.Router')],
    route_config: {
      virtual_hosts: [{ name: 'all', domains: ['*'], routes: [{ match: { prefix: '/' }, route: { cluster: 'agent' } }] }],
    },
  })
  const endpoint = { lb_endpoints: [{ endpoint: { address: at(agent) } }] }
  const clusters = [{ name: 'agent', type: 'STATIC', load_assignment: { cluster_name: 'agent', endpoints: [endpoint] } }]
  const listeners = [{ name: 'all', address: at(port), filter_chains: [{ filters: [manager] }] }]
  const files = { config: join(dir, 'listeners.json'), clusters: join(dir, 'clusters.json') }
  await writeFile(files.config, JSON.stringify({ static_resources: { listeners } }))
  await writeFile(files.clusters, JSON.stringify({ static_resources: { clusters } }))
  const { command, args } = await envoyCommand(files)
  const envoy = spawn(command, args, { stdio: ['ignore', 'ignore', 'inherit'] })
  process.once('exit', () => {
    envoy.kill()
    rmSync(dir, { recursive: true, force: true })
  })
  const late = Date.now() + START_MS_MAX
  while (
    !(await fetch(`http://127.0.0.1:${port}/health`).then(
      ({ ok }) => ok,
      () => false,
    ))
  ) {
    if (envoy.exitCode !== null || Date.now() > late) throw new Error('The bare Envoy does not answer')
    await pause(50)
  }
  return {
    port,
    stop: () => envoy.kill(),
  }
}

function p50({ ms }: Run): number {
  return percentile(ms, 0.5)
}

function rowsOf(runs: Map<Name, Run[]>): Row[] {
  const of = (name: Name) => runs.get(name) ?? []
  const speeds = (name: Name) => of(name).map(({ perSecond }) => perSecond)
  const ratio = (one: Name, other: Name) => speeds(one).map((value, i) => value / (speeds(other)[i] ?? 1))
  const added = (kind: Kind, door: (typeof doors)[number]) =>
    of(`${kind} ${door}`).map((run, i) => p50(run) - p50(of(`${kind} direct`)[i] as Run))
  return [
    rowOf('authenticated beside public, both through Envoy', 'of public', ratio('authenticated envoy', 'public envoy'), {
      better: 'higher',
      wanted: 0.6,
    }),
    rowOf('authenticated, Envoy beside the gateway', 'times', ratio('authenticated envoy', 'authenticated gateway'), {
      better: 'higher',
      wanted: 1.5,
    }),
    rowOf(
      'authenticated, Envoy beside the gateway that remembers',
      'times',
      ratio('authenticated envoy', 'authenticated remembering gateway'),
      { better: 'higher' },
    ),
    rowOf('authenticated, Envoy beside the bare Envoy', 'times', ratio('authenticated envoy', 'authenticated bare envoy'), {
      better: 'higher',
    }),
    rowOf('authenticated, added by Envoy at p50', 'ms', added('authenticated', 'envoy'), { better: 'lower', wanted: 1 }),
    rowOf('authenticated, added by the bare Envoy at p50', 'ms', added('authenticated', 'bare envoy')),
    ...(['envoy', 'bare envoy', 'gateway'] as const).map(door =>
      rowOf(`${ALONE}, added by the ${door} at p50`, 'ms', added(ALONE, door), { better: 'lower' }),
    ),
    ...elsewhere.map(path =>
      rowOf(`${path}, Envoy beside the gateway`, 'times', ratio(`${path} envoy`, `${path} gateway`), { better: 'higher' }),
    ),
    ...([...Object.keys(routes), ...elsewhere, ALONE] as Kind[]).flatMap(kind =>
      doors
        .filter(door => runs.has(`${kind} ${door}`))
        .flatMap(door => [
          rowOf(`${kind}, ${door}`, 'requests/s', speeds(`${kind} ${door}`)),
          rowOf(`${kind}, ${door}, p50`, 'ms', of(`${kind} ${door}`).map(p50)),
          rowOf(
            `${kind}, ${door}, p99`,
            'ms',
            of(`${kind} ${door}`).map(({ ms }) => percentile(ms, 0.99)),
          ),
        ]),
    ),
  ]
}
