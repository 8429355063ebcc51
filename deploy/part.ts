// One process of the stack: started, waited for until it is ready, started again when it dies, and ended with everything it started.
// It is the leader of a process group of its own, so a Ctrl-C in the terminal reaches only the stack, which then ends the parts in order.
import { type ChildProcess, spawn } from 'node:child_process'
import { once } from 'node:events'
import { setTimeout as pause } from 'node:timers/promises'
import type { Log } from './log.ts'
import { endGroup } from './pids.ts'

export type PartName = 'redis' | 'auth' | 'agent' | 'rag' | 'envoy'

interface Launch {
  command: string
  args: string[]
  env: Record<string, string>
  cwd: string
}

/** What a part is. */
export interface PartPlan {
  name: PartName
  /** Parts that must be ready before this one starts. */
  after: PartName[]
  /** Files and folders whose change starts it again while developing; relative to the checkout. */
  sources: string[]
  /** Makes what the part reads and says how to run it; asked at every start. */
  launch(): Promise<Launch>
  ready(): Promise<boolean>
  /** Lets requests under way end before the part is told to stop. */
  drain?(): Promise<void>
}

/** Where a part's life is told. */
export interface PartWitness {
  log: Log
  /** Takes output too, when someone watches. */
  output?: (name: PartName, bytes: Uint8Array) => void
  say(sentence: string): void
  /** A process began (its pid) or ended. */
  process(pid: number | undefined): void
}

export interface Part {
  name: PartName
  pid(): number | undefined
  /** Resolves when ready. Rejects, with the part ended, if it ends before that (with its last lines), takes too long or `signal` aborts. */
  start(signal?: AbortSignal): Promise<void>
  /** Ends it for good: drain, SIGTERM, then SIGKILL to its whole group. */
  stop(): Promise<void>
  /** Sends a signal; when that ends it, it stays down until `start`. Resolves once it is down, at once if it lives on. */
  kill(signal: NodeJS.Signals): Promise<void>
}

/** Longest wait for a part to be ready, in milliseconds; above the two minutes a service gives itself to open what it needs. */
const READY_MS_MAX = 150_000
const READY_EVERY_MS = 40
/** Longest wait after SIGTERM, in milliseconds; above the notice a service gives and the 10 s it then leaves its own requests. */
const STOP_MS_MAX = 16_000
/** Pause before a part that died is started again, in milliseconds: doubled each time, first again after a steady run. */
const BACKOFF_MS_MIN = 250
const BACKOFF_MS_MAX = 10_000
const STEADY_MS = 10_000
/** Lines of its log shown when a part does not start; a crash of Node takes a dozen. */
const LAST_LINES = 20

/** Takes charge of a part; nothing runs before `start`. */
export function takeCharge(plan: PartPlan, witness: PartWitness): Part {
  const { name } = plan
  let child: ChildProcess | undefined
  let wanted = false
  let backoff = BACKOFF_MS_MIN
  let again: NodeJS.Timeout | undefined

  async function run({ command, args, env, cwd }: Launch): Promise<ChildProcess> {
    const out = witness.output ? 'pipe' : witness.log.fd
    const running = spawn(command, args, { cwd, env, detached: true, stdio: ['ignore', out, out] })
    child = running
    for (const stream of [running.stdout, running.stderr]) {
      stream?.on('data', bytes => {
        witness.log.write(bytes)
        witness.output?.(name, bytes)
      })
    }
    const began = Date.now()
    running.once('exit', (code, signal) => {
      if (running.pid) endGroup(running.pid)
      child = undefined
      witness.process(undefined)
      if (!wanted) return
      if (Date.now() - began > STEADY_MS) backoff = BACKOFF_MS_MIN
      reviveLater(`stopped (${signal ?? `exit code ${code}`})`)
    })
    await once(running, 'spawn').catch(error => {
      child = undefined
      throw error
    })
    witness.process(running.pid)
    return running
  }

  function reviveLater(what: string) {
    witness.say(`${name} ${what}; starting it again in ${backoff / 1000} s`)
    again = setTimeout(async () => {
      try {
        const launch = await plan.launch()
        if (wanted) await run(launch)
      } catch (error) {
        if (wanted) reviveLater(`could not be started (${(error as Error).message})`)
      }
    }, backoff)
    backoff = Math.min(backoff * 2, BACKOFF_MS_MAX)
  }

  async function end(signal: NodeJS.Signals) {
    wanted = false
    clearTimeout(again)
    if (!child) return
    const ended = once(child, 'exit')
    child.kill(signal)
    child.kill('SIGCONT')
    const timer = setTimeout(() => child?.kill('SIGKILL'), STOP_MS_MAX)
    await ended
    clearTimeout(timer)
  }

  return {
    name,
    pid: () => child?.pid,

    async start(signal) {
      if (wanted) return
      const from = witness.log.size()
      const running = await run(await plan.launch())
      const late = Date.now() + READY_MS_MAX
      while (running.exitCode === null && running.signalCode === null && Date.now() < late && !signal?.aborted) {
        // It may have ended meanwhile, and something else answers.
        if ((await plan.ready().catch(() => false)) && child === running) {
          wanted = true
          backoff = BACKOFF_MS_MIN
          return
        }
        await pause(READY_EVERY_MS)
      }
      const how = child
        ? `was not ready within ${READY_MS_MAX / 1000} s`
        : `stopped (${running.signalCode ?? `exit code ${running.exitCode}`})`
      await end('SIGKILL')
      signal?.throwIfAborted()
      throw new Error(
        `${name} ${how}. It said last:\n${witness.log.read(from).trimEnd().split('\n').slice(-LAST_LINES).join('\n')}`,
      )
    },

    async stop() {
      wanted = false
      if (child) await plan.drain?.().catch(() => undefined)
      await end('SIGTERM')
    },

    async kill(signal) {
      if (signal === 'SIGSTOP' || signal === 'SIGCONT') child?.kill(signal)
      else await end(signal)
    },
  }
}
