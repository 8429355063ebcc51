// What the edge costs: the same routes bare, through Envoy, and through @fastify/http-proxy as the gateway one would write by hand.
import { once } from 'node:events'
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { parseArgs } from 'node:util'
import { Worker } from 'node:worker_threads'
import autocannon from 'autocannon'
import { startStack } from '../deploy/stack.ts'
import { report, rowOf } from './report.ts'

const { values } = parseArgs({
  options: {
    rounds: { type: 'string', default: '5' },
    seconds: { type: 'string', default: '2' },
    connections: { type: 'string', default: '16' },
  },
})
const rounds = Number(values.rounds)
const duration = Number(values.seconds)
const connections = Number(values.connections)

const routes = [
  { label: 'public', service: 'auth', path: '/health', signed: false },
  { label: 'authenticated', service: 'auth', path: '/me', signed: true },
  { label: 'agent status', service: 'agent', path: '/status', signed: true },
  { label: 'rag status', service: 'rag', path: '/status', signed: true },
] as const
const doors = ['bare', 'envoy', 'http-proxy'] as const
const say = (text: string) => process.stderr.write(`${text}\n`)

const dir = await mkdtemp(join(tmpdir(), 'bench-edge-'))
const limits = ['CALLER_PER_MIN', 'ADDRESS_PER_MIN', 'LOGIN_PER_MIN', 'REGISTER_PER_5MIN'].map(name => [`LIMIT_${name}`, '0'])
say('starting the stack')
const stack = await startStack({ dir, env: { ...Object.fromEntries(limits), LOG_LEVEL: 'error' } })
const proxy = new Worker(new URL('hand-written-gateway.ts', import.meta.url), { workerData: stack.ports })
try {
  const [proxyUrl] = (await once(proxy, 'message')) as [string]
  const headers = await signIn(stack.url)
  const runs = new Map<string, { perSecond: number[]; p50: number[]; p99: number[] }>()
  for (let round = 1; round <= rounds; round++) {
    for (const route of routes) {
      for (const door of doors) {
        const url = {
          bare: `http://127.0.0.1:${stack.ports[route.service]}${route.path}`,
          envoy: `${stack.url}/${route.service}${route.path}`,
          'http-proxy': `${proxyUrl}/${route.service}${route.path}`,
        }[door]
        const { requests, latency, non2xx, errors } = await autocannon({
          url,
          connections,
          duration,
          headers: route.signed ? headers : {},
        })
        if (non2xx + errors > 0) throw new Error(`${url}: ${non2xx} refused, ${errors} failed`)
        const kept = runs.get(`${route.label} ${door}`) ?? { perSecond: [], p50: [], p99: [] }
        kept.perSecond.push(requests.average)
        kept.p50.push(latency.p50)
        kept.p99.push(latency.p99)
        runs.set(`${route.label} ${door}`, kept)
        say(`round ${round}/${rounds} ${route.label} ${door}: ${Math.round(requests.average)}/s`)
      }
    }
  }
  report({
    name: 'edge',
    claim:
      'Envoy in front of a service, with tokens verified at both, keeps this share of the bare service, beside a gateway written with @fastify/http-proxy that verifies nothing.',
    command: 'make bench',
    setting: { rounds, seconds: duration, connections },
    rows: routes.flatMap(({ label }) => rowsOf(label, runs)),
    notClaimed: 'absolute speed; the load generator shares the cores with everything measured.',
  })
} finally {
  await proxy.terminate()
  await stack.stop()
  await rm(dir, { recursive: true, force: true })
}

function rowsOf(label: string, runs: Map<string, { perSecond: number[]; p50: number[]; p99: number[] }>) {
  const of = (door: string) => runs.get(`${label} ${door}`) ?? { perSecond: [], p50: [], p99: [] }
  const bare = of('bare')
  return doors.flatMap(door => {
    const { perSecond, p50, p99 } = of(door)
    const share = perSecond.map((value, i) => value / (bare.perSecond[i] ?? 1))
    return [
      rowOf(`${label}, ${door}`, 'requests/s', perSecond),
      ...(door === 'bare' ? [] : [rowOf(`${label}, ${door} beside bare`, 'of bare', share)]),
      rowOf(`${label}, ${door}, p50`, 'ms', p50),
      rowOf(`${label}, ${door}, p99`, 'ms', p99),
    ]
  })
}

async function signIn(url: string): Promise<{ authorization: string }> {
  const body = JSON.stringify({ username: 'bench', password: crypto.randomUUID() })
  const post = (path: string) => fetch(url + path, { method: 'POST', headers: { 'content-type': 'application/json' }, body })
  await post('/auth/register')
  const { token } = (await (await post('/auth/login')).json()) as { token: string }
  return { authorization: `Bearer ${token}` }
}
