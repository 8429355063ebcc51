// The process of the model of this machine, from outside: started, watched, asked for one answer at a time, and ended. It runs beside the
// event loop, below everything else in priority; it is given no environment and nothing to reach, and killed when it takes more memory than
// its model needs, or does not stop when it is told to.
import { type ChildProcess, spawn } from 'node:child_process'
import { once } from 'node:events'
import { constants, setPriority } from 'node:os'
import { join } from 'node:path'
import { createInterface } from 'node:readline'
import type { Readable, Writable } from 'node:stream'
import { lineOf } from '../../platform/lines.ts'
import { usageOf } from '../../platform/usage.ts'
import type { Usage } from '../schemas.ts'
import { Broken, type Piece } from './model.ts'

/** What is asked of it; `stop` ends the answer that is being given. */
export interface Order {
  system: string
  prompt: string
  outputTokensMax: number
}
/** What it tells, one message a line: `ready` once, then for each order pieces or a fault, and `done`. */
export type Told = 'ready' | 'done' | { text: string } | { usage: Usage } | { cut: true } | { fault: 'too_long' }

/** Longest load of a model, and longest wait for an answer to stop, in milliseconds. */
const LOAD_MS_MAX = 120_000
const STOP_MS_MAX = 1_000
const LOOK_MS = 250
const COMPLAINT_CHARS_MAX = 2000

const root = join(import.meta.dirname, '../../..')
/** Where the runtime looks for the C library it was built for. */
const libraries = ['/lib', '/lib64', '/usr/lib', '/usr/lib64']

type Child = ChildProcess & { stdin: Writable; stdout: Readable; stderr: Readable }

export type LocalProcess = ReturnType<typeof startProcess>

/** Starts the process for a model file; `ready` rejects with `Broken` when it cannot be loaded. */
export function startProcess(path: string, memoryBytesMax: number) {
  const child = spawn(
    process.execPath,
    [
      '--permission',
      // The runtime tries itself out in a process of its own before it loads; that one inherits these bounds.
      '--allow-addons',
      '--allow-child-process',
      ...[join(root, 'src'), join(root, 'node_modules'), join(root, 'package.json'), path, ...libraries].map(
        one => `--allow-fs-read=${one}`,
      ),
      '--no-warnings',
      join(import.meta.dirname, 'local-child.ts'),
      path,
    ],
    { stdio: ['pipe', 'pipe', 'pipe'], env: {}, cwd: root },
  ) as Child
  if (child.pid !== undefined) setPriority(child.pid, constants.priority.PRIORITY_BELOW_NORMAL)
  const ended = once(child, 'close').catch(() => undefined)
  child.stdin.on('error', () => undefined)
  let complaint = ''
  child.stderr.on('data', (part: Buffer) => {
    complaint = (complaint + part).slice(-COMPLAINT_CHARS_MAX)
  })
  let isOver = false
  const scale = setInterval(async () => {
    const { residentBytes } = await usageOf(child.pid)
    if (residentBytes > memoryBytesMax) child.kill('SIGKILL')
  }, LOOK_MS)
  void ended.then(() => {
    isOver = true
    clearInterval(scale)
  })
  const lines = createInterface({ input: child.stdout })[Symbol.asyncIterator]()
  const order = (message: Order | 'stop') => child.stdin.write(lineOf(message))

  /** What it says next. One that ends, or says anything else, is done with. */
  async function next(): Promise<Told> {
    const { done, value } = await lines.next()
    const told = done ? undefined : toldIn(value)
    if (told !== undefined) return told
    child.kill('SIGKILL')
    await ended
    const how = `the process of the model ended (${child.signalCode ?? child.exitCode}): ${complaint}`
    throw new Broken('unreachable', { cause: new Error(how) })
  }

  const late = setTimeout(() => child.kill('SIGKILL'), LOAD_MS_MAX)
  const ready = next()
    .then(() => undefined)
    .catch((error: Broken) => {
      throw new Broken('unusable', { cause: error.cause })
    })
    .finally(() => clearTimeout(late))
  ready.catch(() => undefined)

  return {
    ready,
    pid: child.pid,
    isOver: () => isOver,

    /** The pieces of one answer; ends early, and soon, when `signal` is aborted. The next may be asked for once this has ended. */
    async *answer(asked: Order, signal: AbortSignal): AsyncGenerator<Piece> {
      let hasEnded = false
      let kill: NodeJS.Timeout | undefined
      const stop = () => {
        order('stop')
        kill = setTimeout(() => child.kill('SIGKILL'), STOP_MS_MAX)
      }
      signal.throwIfAborted()
      order(asked)
      signal.addEventListener('abort', stop, { once: true })
      try {
        for (;;) {
          const told = await next()
          hasEnded = told === 'done'
          if (hasEnded) return
          if (typeof told === 'string') continue
          if ('fault' in told) throw new Broken(told.fault)
          yield told
        }
      } catch (error) {
        hasEnded ||= isOver
        throw error
      } finally {
        // Left before its end: what still comes of it is not for the next one.
        if (!hasEnded && kill === undefined) stop()
        while (!hasEnded) hasEnded = (await next().catch(() => 'done' as const)) === 'done'
        clearTimeout(kill)
        signal.removeEventListener('abort', stop)
      }
    },

    /** Ends it at once; there is nothing in it to keep. */
    async end() {
      child.kill('SIGKILL')
      await ended
    },
  }
}

function toldIn(line: string): Told | undefined {
  try {
    return JSON.parse(line) as Told
  } catch {
    return undefined
  }
}
