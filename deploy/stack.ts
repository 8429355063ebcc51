// The whole stack on one machine, as tests, benchmarks and `make` start it: Redis, auth, agent, rag and Envoy, each its own process,
// in one folder (.env, data/, run/) and on ports of its own, so that several stacks can stand side by side.
import { mkdir, readFile } from 'node:fs/promises'
import { join, resolve } from 'node:path'
import { setTimeout as pause } from 'node:timers/promises'
import { openSettings, type Settings } from './environment.ts'
import { type Log, openLog } from './log.ts'
import { type Part, type PartName, type PartPlan, takeCharge } from './part.ts'
import { endLeftover, forgetPid, livingPid, notePid } from './pids.ts'
import { inForce, planStack } from './plans.ts'
import { edgeUrl, freePorts, type Ports, requireFree } from './ports.ts'

/** Longest wait, once every part is ready, for the edge to see them all, in milliseconds. */
const HEALTHY_MS_MAX = 60_000
const HEALTHY_EVERY_MS = 50

export interface StackOrder {
  /** Folder of this stack: .env, data/ and run/ lie there. run/venv and run/models are the checkout's. */
  dir: string
  /** Ports that are not given are free ones. */
  ports?: Partial<Ports>
  /** Variables, laid over those of `<dir>/.env`; nothing else is taken from the environment of this process. */
  env?: NodeJS.ProcessEnv
  /** Only these parts; all when absent. */
  parts?: PartName[]
  /** Takes the output of the parts as it comes; the log files get it either way. */
  output?: (name: PartName, bytes: Uint8Array) => void
  /** Takes a sentence when something of note happens, such as a part that died. */
  say?: (sentence: string) => void
  /** Gives the start up: what has started is ended and `startStack` rejects. */
  signal?: AbortSignal
}

export interface Stack {
  /** The edge, without TLS. */
  url: string
  ports: Ports
  /** Every variable in force, secrets included. */
  env: Settings
  redisUrl: string
  plans: PartPlan[]
  pid(part: PartName): number | undefined
  /** What the part has written to its log file. */
  logs(part: PartName): Promise<string>
  /** Sends a signal (SIGKILL unless told); a part that ends by it stays down until `restart`. Resolves once it is down. */
  kill(part: PartName, signal?: NodeJS.Signals): Promise<void>
  /** Ends the part if it runs, starts it, and resolves when it is ready. */
  restart(part: PartName): Promise<void>
  /** Ends every part, the edge first and Redis last; resolves when no process is left. */
  stop(): Promise<void>
}

/** Where a stack in `dir` keeps its pid files; the process in charge is noted there as `stack`. */
export const pidsOf = (dir: string) => join(dir, 'run', 'pids')
export const logOf = (dir: string, name: string) => join(dir, 'run', 'logs', `${name}.log`)

/**
 * Starts a stack and resolves when its edge reports every service up. Rejects with a sentence, leaving no process behind, when
 * another runs in `dir`, a port is taken, or a part ends before it is ready (with the last lines of its log). A part that dies
 * later is started again.
 */
export async function startStack(order: StackOrder): Promise<Stack> {
  const dir = resolve(order.dir)
  await mkdir(dir, { recursive: true })
  const pids = pidsOf(dir)
  const running = livingPid(pids, 'stack')
  if (running) throw new Error(`A stack already runs in ${dir} (process ${running}): make stop ends it.`)

  const settings = openSettings(dir, order.env)
  const ports = await freePorts(order.ports ?? {})
  const env = inForce(settings, ports)
  const plans = planStack(dir, ports, settings, env).filter(({ name }) => !order.parts || order.parts.includes(name))
  const names = plans.map(({ name }) => name)
  for (const name of names) await endLeftover(pids, name)
  await requireFree(names, ports)
  notePid(pids, 'stack', process.pid)

  const logs: Log[] = []
  const parts = new Map<PartName, Part>()
  for (const plan of plans) {
    const log = openLog(logOf(dir, plan.name))
    logs.push(log)
    const { output, say = () => undefined } = order
    const noted = (pid?: number) => {
      try {
        if (pid) notePid(pids, plan.name, pid)
        else forgetPid(pids, plan.name)
      } catch (error) {
        say(`${plan.name} is not noted: ${(error as Error).message}`)
      }
    }
    parts.set(plan.name, takeCharge(plan, { log, output, say, process: noted }))
  }

  async function stop() {
    await stopInOrder(parts)
    for (const log of logs.splice(0)) log.close()
    forgetPid(pids, 'stack')
  }

  const url = edgeUrl(settings, ports)
  try {
    await startInOrder(plans, parts, order.signal)
    order.signal?.throwIfAborted()
    if (parts.has('envoy') && !order.parts) await healthy(url, order.signal)
  } catch (error) {
    await stop()
    throw error
  }
  const part = (name: PartName): Part => {
    const found = parts.get(name)
    if (!found) throw new Error(`${name} is not part of this stack.`)
    return found
  }
  return {
    url,
    ports,
    env,
    redisUrl: String(env.REDIS_URL),
    plans,
    pid: name => part(name).pid(),
    logs: name => readFile(logOf(dir, name), 'utf8'),
    kill: (name, signal = 'SIGKILL') => part(name).kill(signal),
    restart: async name => {
      await part(name).stop()
      await part(name).start()
    },
    stop,
  }
}

async function stopInOrder(parts: Map<PartName, Part>) {
  for (const group of [['envoy'], ['auth', 'agent', 'rag'], ['redis']] as const) {
    await Promise.all(group.map(name => parts.get(name)?.stop()))
  }
}

/**
 * Starts each part as soon as those it comes after are ready. The first failure ends the others, which may wait for the part that failed;
 * rejects with it once they have settled.
 */
async function startInOrder(plans: PartPlan[], parts: Map<PartName, Part>, signal?: AbortSignal) {
  const failing = new AbortController()
  const within = AbortSignal.any([failing.signal, ...(signal ? [signal] : [])])
  const starts = new Map<PartName, Promise<void>>()
  for (const { name, after } of plans) {
    const before = Promise.all(after.map(earlier => starts.get(earlier)))
    const start = before.then(() => parts.get(name)?.start(within))
    starts.set(name, start)
    start.catch(reason => failing.abort(reason))
  }
  await Promise.allSettled(starts.values())
  failing.signal.throwIfAborted()
}

async function healthy(url: string, signal?: AbortSignal) {
  const late = Date.now() + HEALTHY_MS_MAX
  let last = 'nothing'
  while (Date.now() < late) {
    const reply = await fetch(`${url}/health`).catch(() => undefined)
    if (reply?.ok) return
    last = (await reply?.text()) ?? last
    await pause(HEALTHY_EVERY_MS)
    signal?.throwIfAborted()
  }
  throw new Error(`Every part is ready, but the edge does not report the stack healthy; it said last: ${last}`)
}
