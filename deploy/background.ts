// The stack without a terminal: start, stop and status of the process in charge, which outlives the command that started it.
import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { join } from 'node:path'
import { readSettings } from './environment.ts'
import { openLog } from './log.ts'
import type { PartName } from './part.ts'
import { endLeftover, livingPid } from './pids.ts'
import { edgeUrl, portsOf } from './ports.ts'
import { logOf, pidsOf } from './stack.ts'

const HEALTH_MS_MAX = 2_000
/** In the order they end. */
const PARTS: PartName[] = ['envoy', 'auth', 'agent', 'rag', 'redis']

/** What the process in charge tells the command that started it, once. */
export type Tidings = { url: string } | { failure: string }

/** Starts the stack of `dir` behind this command. Resolves to the edge's address once it is healthy, rejects with a sentence otherwise. */
export async function startBehind(dir: string): Promise<string> {
  const log = openLog(logOf(dir, 'stack'))
  const main = join(import.meta.dirname, 'main.ts')
  const charge = spawn(process.execPath, [main, 'background'], {
    cwd: dir,
    detached: true,
    stdio: ['ignore', log.fd, log.fd, 'ipc'],
  })
  log.close()
  const died = once(charge, 'exit').then(
    (): Tidings => ({ failure: `The stack ended while it started; ${logOf(dir, 'stack')} says why.` }),
  )
  const told = once(charge, 'message').then(([tidings]) => tidings as Tidings)
  const tidings = await Promise.race([told, died])
  if ('failure' in tidings) throw new Error(tidings.failure)
  charge.disconnect()
  charge.unref()
  return tidings.url
}

/** The names of what runs of the stack of `dir`, be its process in charge alive or not. */
export const runningIn = (dir: string) => ['stack', ...PARTS].filter(name => livingPid(pidsOf(dir), name))

/** Ends the stack of `dir`, also one whose process in charge was killed. Resolves to whether anything ran. */
export async function stopBehind(dir: string): Promise<boolean> {
  const ran = runningIn(dir).length > 0
  for (const name of ['stack', ...PARTS]) await endLeftover(pidsOf(dir), name)
  return ran
}

/** Tells of each part whether its process lives, and what the edge reports. `up` is whether all is well. */
export async function statusOf(dir: string): Promise<{ up: boolean; text: string }> {
  const settings = readSettings(dir, process.env)
  const living = ['stack', ...PARTS].map(name => ({ name, pid: livingPid(pidsOf(dir), name) }))
  const url = edgeUrl(settings, portsOf(settings))
  const reply = await fetch(`${url}/health`, { signal: AbortSignal.timeout(HEALTH_MS_MAX) }).catch(() => undefined)
  const health = reply ? await reply.text() : 'does not answer'
  const lines = living.map(({ name, pid }) => `${name.padEnd(6)} ${pid ? `runs (process ${pid})` : 'does not run'}`)
  return { up: reply?.ok === true && living[0]?.pid !== undefined, text: [...lines, `${url}/health: ${health}`].join('\n') }
}
