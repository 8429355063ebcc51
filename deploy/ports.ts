// The doors of a stack: which variable names each port, free ports for tests, and a clear word when one that was asked for is taken.
import { once } from 'node:events'
import { createServer, isIPv6, type ListenOptions, type Server } from 'node:net'
import type { Settings } from './environment.ts'
import type { PartName } from './part.ts'

/** Each door's variable, its port when that is not set, and the part that listens there. Redis's is that of the stack's own Redis. */
const doors = {
  gateway: { variable: 'GATEWAY_PORT', initial: 5000, part: 'envoy' },
  auth: { variable: 'AUTH_SERVICE_PORT', initial: 5001, part: 'auth' },
  agent: { variable: 'AGENT_SERVICE_PORT', initial: 5002, part: 'agent' },
  rag: { variable: 'RAG_SERVICE_PORT', initial: 5003, part: 'rag' },
  redis: { variable: 'REDIS_PORT', initial: 5004, part: 'redis' },
  tls: { variable: 'GATEWAY_TLS_PORT', initial: 5443, part: 'envoy' },
  admin: { variable: 'GATEWAY_ADMIN_PORT', initial: 5005, part: 'envoy' },
} as const satisfies Record<string, { variable: string; initial: number; part: PartName }>

type Door = keyof typeof doors
export type Ports = Record<Door, number>

const names = Object.keys(doors) as Door[]

/** Free ports are picked here, below the range the kernel gives to outgoing connections (from 32768 on Linux), so none takes one first. */
const LOWEST = 15_000
const HIGHEST = 32_000
const ATTEMPTS_MAX = 100

/** The ports the settings name, or their usual ones. Throws a sentence for each that is not a port. */
export function portsOf(settings: Settings): Ports {
  const faults: string[] = []
  const ports = names.map(door => {
    const { variable, initial } = doors[door]
    const text = settings[variable] ?? String(initial)
    if (!/^\d{1,5}$/.test(text) || Number(text) < 1 || Number(text) > 65_535)
      faults.push(`${variable} is "${text}", which is not a port.`)
    return [door, Number(text)]
  })
  if (faults.length > 0) throw new Error(faults.join('\n'))
  return Object.fromEntries(ports)
}

/** Where this machine reaches the edge: the address it listens at, or loopback when it listens at all. */
export function edgeUrl({ GATEWAY_HOST: host = '127.0.0.1' }: Settings, { gateway }: Pick<Ports, 'gateway'>): string {
  const at = { '0.0.0.0': '127.0.0.1', '::': '::1' }[host] ?? host
  return `http://${isIPv6(at) ? `[${at}]` : at}:${gateway}`
}

/** Free ports for every door that is not given. */
export async function freePorts(given: Partial<Ports>): Promise<Ports> {
  const ports: Partial<Ports> = { ...given }
  for (const door of names) ports[door] ??= await freePort(Object.values(ports))
  return ports as Ports
}

/** A port of loopback that nobody listens on just now, that is none of `taken`, and that nobody else is given here until this process ends. */
export async function freePort(taken: number[] = []): Promise<number> {
  for (let attempt = 0; attempt < ATTEMPTS_MAX; attempt++) {
    const port = LOWEST + Math.floor(Math.random() * (HIGHEST - LOWEST))
    if (!taken.includes(port) && (await isReserved(port))) return port
  }
  throw new Error(`No free port was found between ${LOWEST} and ${HIGHEST} on 127.0.0.1.`)
}

/** Throws one Error with a sentence for every port these parts need and something else listens on. */
export async function requireFree(parts: PartName[], ports: Ports): Promise<void> {
  const busy: string[] = []
  for (const door of names) {
    const { part, variable } = doors[door]
    if (!parts.includes(part) || (await isFree(ports[door]))) continue
    busy.push(
      `Port ${ports[door]} is in use, so ${part} cannot start: end what listens there, or set ${variable} to another port.`,
    )
  }
  if (busy.length > 0) throw new Error(busy.join('\n'))
}

/**
 * Takes a free port for this process, though nothing listens there yet: processes that pick at the same time must not pick the same. What is
 * held is a name of Linux's abstract sockets, which no file stands for and which goes with the process.
 */
async function isReserved(port: number): Promise<boolean> {
  const holder = await listening({ path: `\0agent-backend-port-${port}` })
  if (!holder) return false
  if (!(await isFree(port))) {
    holder.close()
    return false
  }
  holder.unref()
  return true
}

/** Can this loopback port be listened on now? */
async function isFree(port: number): Promise<boolean> {
  const server = await listening({ port, host: '127.0.0.1' })
  server?.close()
  return server !== undefined
}

async function listening(where: ListenOptions): Promise<Server | undefined> {
  const server = createServer().listen({ ...where, exclusive: true })
  try {
    await once(server, 'listening')
    return server
  } catch {
    return undefined
  }
}
