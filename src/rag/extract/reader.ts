// The child process that reads documents, as its owner sees it: started without environment, network or files but the program's own, given
// one document after the other through a pipe, and killed when one takes more memory, time or output than it may. Worker threads would not
// bound memory (measured).
import { type ChildProcess, spawn } from 'node:child_process'
import { once } from 'node:events'
import type { FileHandle } from 'node:fs/promises'
import { constants, setPriority } from 'node:os'
import { extname, join } from 'node:path'
import { createInterface } from 'node:readline'
import type { Readable, Writable } from 'node:stream'
import { type Failure, failure } from '../../platform/errors.ts'
import { lineOf } from '../../platform/lines.ts'
import { usageOf } from '../../platform/usage.ts'
import type { ArchiveLimits } from './archive.ts'
import type { Coverage } from './blocks.ts'
import type { Section } from './canonical.ts'
import type { RefusalCode } from './refusal.ts'

/**
 * Processor time allowed is `msMax` plus `msPerMegabyte` for each MiB of the file: a small hostile file is stopped soon, a long book is not,
 * and a busy machine fails nobody's document.
 */
export type ExtractLimits = ArchiveLimits & {
  memoryBytesMax: number
  msMax: number
  msPerMegabyte: number
  textBytesMax: number
  pagesMax: number
}
/** What the child is told before the bytes of a document. */
export type Order = { name: string; size: number; limits: ExtractLimits }

type Done = { done: { title?: string; media_type: string; coverage: Coverage } }
type Refused = { refusal: { code: RefusalCode; message: string; cause: string } }
/** What the child writes, one message a line; `done` or `refusal` is the last of a document. */
export type Message = { section: Section } | { text: string } | Done | Refused

export type Extracted = { text: string; sections: Section[]; title?: string; media_type: string; coverage: Coverage }
export type Reader = ReturnType<typeof startReader>

export const MEGABYTE = 1024 * 1024
const root = join(import.meta.dirname, '../../..')
const LOOK_MS = 20
const PIECE_BYTES = 64 * 1024
/** By the clock a reader may take this many times its processor time, be the machine as busy as it may. */
const CLOCK_PER_PROCESSOR_TIME = 10
/** The rest is for buffers, which do not live in V8's heap. */
const HEAP_SHARE = 0.75
/** JSON doubles the worst text; sections come on top. */
const OUTPUT_PER_TEXT_BYTE = 3
const COMPLAINT_LENGTH_MAX = 2000

/** Processor time that reading a file of `size` bytes may take, in milliseconds. */
export const timeFor = (limits: ExtractLimits, size: number) => limits.msMax + Math.ceil(size / MEGABYTE) * limits.msPerMegabyte

/** Starts a child that may use `ms` of processor time in its whole life. */
export function startReader(limits: ExtractLimits, ms: number) {
  const child = start(limits, ms)
  const closed = once(child, 'close').catch(error => [error])
  const lines = createInterface({ input: child.stdout })[Symbol.asyncIterator]()
  let complaint = ''
  /** Processor time before the document it reads. */
  let used = 0
  child.stderr.on('data', (part: Buffer) => {
    complaint = (complaint + part).slice(0, COMPLAINT_LENGTH_MAX)
  })
  child.stdin.on('error', () => {}) // it has ended, which says why

  /** Kills it; resolves when it is gone. */
  async function kill() {
    child.kill('SIGKILL')
    await closed
  }

  /** The document's bytes as fast as the child takes them; should the child end, that is for whoever listens to it to say. */
  async function send(source: FileHandle, size: number) {
    for (let at = 0; at < size && child.stdin.writable; ) {
      const piece = Buffer.allocUnsafe(Math.min(PIECE_BYTES, size - at))
      const { bytesRead } = await source.read({ buffer: piece, position: at })
      if (bytesRead === 0) throw new Error(`The file ends after ${at} of its ${size} bytes`)
      at += bytesRead
      if (!child.stdin.write(piece.subarray(0, bytesRead)))
        await Promise.race([once(child.stdin, 'drain').catch(() => closed), closed])
    }
  }

  async function ask(source: FileHandle, order: Order, signal?: AbortSignal): Promise<Extracted> {
    const watch = watched(child, order, used)
    const give = () => void child.kill('SIGKILL')
    signal?.addEventListener('abort', give)
    try {
      signal?.throwIfAborted()
      child.stdin.write(lineOf(order))
      const [result] = await Promise.all([collect(lines), send(source, order.size)])
      if (result.isBroken) child.kill('SIGKILL')
      if (result.done) return { text: result.text, sections: result.sections, ...result.done }
      if (result.refusal) throw failure(result.refusal.code, result.refusal.message || undefined, { cause: result.refusal.cause })
      const [outcome] = await closed
      if (watch.breach) throw watch.breach
      if (outcome instanceof Error) throw outcome
      throw failure('damaged', undefined, { cause: `the reader ended with ${outcome ?? child.signalCode}: ${complaint}` })
    } catch (error) {
      throw signal?.aborted ? failure('cancelled', undefined, { cause: signal.reason }) : error
    } finally {
      signal?.removeEventListener('abort', give)
      watch.end()
    }
  }

  return {
    kill,

    /**
     * Reads a document. Throws a failure, and has ended then: `no_text`, `encrypted`, `damaged`, `unsupported_type`, `too_large` and
     * `timeout` (the limit in the message), `cancelled`.
     */
    async read(source: FileHandle, name: string, size: number, signal?: AbortSignal): Promise<Extracted> {
      // Only the ending of the name decides anything; the rest is the owner's business.
      return ask(source, { name: extname(name).slice(0, 16), size, limits }, signal).catch(async error => {
        await kill()
        throw error
      })
    },

    /** What it uses; asked between two documents, so that the next one is measured by itself. */
    async usage() {
      const now = await usageOf(child.pid)
      used = now.processorMs
      return now
    },
  }
}

type Child = ChildProcess & { stdin: Writable; stdout: Readable; stderr: Readable }

function start(limits: ExtractLimits, ms: number): Child {
  const flags = [
    '--permission',
    ...['src', 'node_modules', 'package.json'].map(path => `--allow-fs-read=${join(root, path)}`),
    `--max-old-space-size=${Math.floor((limits.memoryBytesMax / MEGABYTE) * HEAP_SHARE)}`,
    '--no-warnings',
  ]
  // Should the service die, nobody watches its reader: then the kernel ends it, well after we would have.
  const seconds = Math.ceil((ms * CLOCK_PER_PROCESSOR_TIME) / 1000)
  // A shell gives what it starts a working directory and more to inherit: `env -i` takes that away again.
  const bounded = ['-c', 'ulimit -t "$0" && exec env -i "$@"', `${seconds}`, process.execPath]
  const child = spawn('/bin/sh', [...bounded, ...flags, join(import.meta.dirname, 'child.ts')], {
    stdio: 'pipe',
    env: {},
    cwd: root,
  }) as Child
  if (child.pid !== undefined) setPriority(child.pid, constants.priority.PRIORITY_BELOW_NORMAL)
  return child
}

type Watch = { breach: Failure | undefined; end: () => void }

/** Kills the child at the first breach of a limit and remembers which one it was; `used` is the processor time it had used before. */
function watched(child: Child, { limits, size }: Order, used: number): Watch {
  const watch: Watch = { breach: undefined, end }
  const ms = timeFor(limits, size)
  function breach(found: Failure) {
    watch.breach ??= found
    child.kill('SIGKILL')
  }
  const tooLong = () => failure('timeout', `The document took longer than ${ms / 1000} s to read, the limit for its size`)
  const clock = setTimeout(() => breach(tooLong()), ms * CLOCK_PER_PROCESSOR_TIME)
  const scale = setInterval(async () => {
    const now = await usageOf(child.pid)
    if (now.residentBytes > limits.memoryBytesMax) breach(tooMuchMemory(limits))
    if (now.processorMs - used > ms) breach(tooLong())
  }, LOOK_MS)
  let output = 0
  const count = (part: Buffer) => {
    output += part.length
    if (output > limits.textBytesMax * OUTPUT_PER_TEXT_BYTE)
      breach(failure('too_large', `The document holds more than ${limits.textBytesMax} bytes of text, the limit`))
  }
  const exited = (_code: number | null, signal: string | null) => {
    if (signal === 'SIGABRT') watch.breach ??= tooMuchMemory(limits) // V8 aborts when its heap is full
  }
  child.stdout.on('data', count)
  child.on('exit', exited)
  function end() {
    clearTimeout(clock)
    clearInterval(scale)
    child.stdout.off('data', count)
    child.off('exit', exited)
  }
  return watch
}

function tooMuchMemory(limits: ExtractLimits): Failure {
  return failure('too_large', `Reading the document took more than ${limits.memoryBytesMax / MEGABYTE} MiB of memory, the limit`)
}

type Collected = {
  text: string
  sections: Section[]
  done?: Done['done']
  refusal?: Refused['refusal']
  /** It wrote what it never should, or was cut short in the middle of it. */
  isBroken?: boolean
}

/** Reads the child's messages on a document as they come, a line at a time, so that a large one never holds up the event loop. */
async function collect(lines: AsyncIterator<string>): Promise<Collected> {
  const found: Collected = { text: '', sections: [] }
  for (let line = await lines.next(); !line.done; line = await lines.next()) {
    const message = parsed(line.value)
    if (!message) return { ...found, isBroken: true }
    if ('text' in message) found.text += message.text
    else if ('section' in message) found.sections.push(message.section)
    else return Object.assign(found, message)
  }
  return found
}

function parsed(line: string): Message | undefined {
  try {
    return JSON.parse(line) as Message
  } catch {
    return undefined
  }
}
