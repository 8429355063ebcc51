// Reads one document in a child process that cannot hurt the service: it has no environment, no network, no files but the program's own,
// and it is killed when it takes more memory, time or output than it was given. Worker threads would not bound memory (measured).
import { type ChildProcess, spawn } from 'node:child_process'
import { once } from 'node:events'
import { open } from 'node:fs/promises'
import { constants, setPriority } from 'node:os'
import { extname, join } from 'node:path'
import { createInterface } from 'node:readline'
import type { Readable } from 'node:stream'
import { type Failure, failure } from '../../platform/errors.ts'
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

const MEGABYTE = 1024 * 1024

export const extractLimits: ExtractLimits = {
  memoryBytesMax: 1024 * MEGABYTE,
  msMax: 6_000,
  msPerMegabyte: 2_000,
  textBytesMax: 100 * MEGABYTE,
  pagesMax: 5_000,
  entriesMax: 10_000,
  unpackedBytesMax: 500 * MEGABYTE,
  unpackRatioMax: 200,
}

type Done = { done: { title?: string; media_type: string; coverage: Coverage } }
type Refused = { refusal: { code: RefusalCode; message: string; cause: string } }
/** What the child writes, one message a line; `done` or `refusal` is the last. */
export type Message = { section: Section } | { text: string } | Done | Refused

export type Extracted = { text: string; sections: Section[]; title?: string; media_type: string; coverage: Coverage }

const root = join(import.meta.dirname, '../../..')
const LOOK_MS = 20
/** By the clock a reader may take this many times its processor time, be the machine as busy as it may. */
const CLOCK_PER_PROCESSOR_TIME = 10
/** The rest is for buffers, which do not live in V8's heap. */
const HEAP_SHARE = 0.75
/** JSON doubles the worst text; sections come on top. */
const OUTPUT_PER_TEXT_BYTE = 3
const COMPLAINT_LENGTH_MAX = 2000

/**
 * Reads the document at `file.path` (`file.name` decides only between plain-text formats) into canonical text and its sections.
 * Throws a failure: `no_text`, `encrypted`, `damaged`, `unsupported_type`, `too_large` and `timeout` (the limit in the message), `cancelled`.
 */
export async function extract(
  file: { path: string; name: string },
  limits: ExtractLimits,
  signal?: AbortSignal,
): Promise<Extracted> {
  const source = await open(file.path)
  try {
    const { size } = await source.stat()
    const ms = limits.msMax + Math.ceil(size / MEGABYTE) * limits.msPerMegabyte
    const child = start(source.fd, file.name, limits, ms, signal)
    const ended = once(child, 'close').catch(error => [error])
    const watch = watched(child, limits, ms)
    const result = await collect(child)
    const [outcome] = await ended
    watch.end()
    if (watch.breach) throw watch.breach
    if (signal?.aborted) throw failure('cancelled', undefined, { cause: signal.reason })
    if (result.refusal) throw failure(result.refusal.code, result.refusal.message || undefined, { cause: result.refusal.cause })
    if (result.done) return { text: result.text, sections: result.sections, ...result.done }
    if (outcome instanceof Error) throw outcome
    throw failure('damaged', undefined, { cause: `the reader ended with ${outcome ?? child.signalCode}: ${result.complaint}` })
  } finally {
    await source.close()
  }
}

function start(fd: number, name: string, limits: ExtractLimits, ms: number, signal?: AbortSignal): Child {
  const flags = [
    '--permission',
    ...['src', 'node_modules', 'package.json'].map(path => `--allow-fs-read=${join(root, path)}`),
    `--max-old-space-size=${Math.floor((limits.memoryBytesMax / MEGABYTE) * HEAP_SHARE)}`,
    '--no-warnings',
  ]
  // Only the ending of the name decides anything; the rest is the owner's business and does not go on a command line.
  const argument = JSON.stringify({ name: extname(name).slice(0, 16), limits })
  // Should the service die, nobody watches its reader: then the kernel ends it, well after we would have.
  const seconds = Math.ceil((ms * CLOCK_PER_PROCESSOR_TIME) / 1000)
  // A shell gives what it starts a working directory and more to inherit: `env -i` takes that away again.
  const bounded = ['-c', 'ulimit -t "$0" && exec env -i "$@"', `${seconds}`, process.execPath]
  const child = spawn('/bin/sh', [...bounded, ...flags, join(import.meta.dirname, 'child.ts'), argument], {
    stdio: [fd, 'pipe', 'pipe'],
    env: {},
    cwd: root,
    signal,
    killSignal: 'SIGKILL',
  }) as Child
  if (child.pid !== undefined) setPriority(child.pid, constants.priority.PRIORITY_BELOW_NORMAL)
  return child
}

type Child = ChildProcess & { stdout: Readable; stderr: Readable }
type Watch = { breach: Failure | undefined; end: () => void }

/** Kills the child at the first breach of a limit and remembers which one it was. */
function watched(child: Child, limits: ExtractLimits, ms: number): Watch {
  const watch: Watch = { breach: undefined, end }
  function breach(found: Failure) {
    watch.breach ??= found
    child.kill('SIGKILL')
  }
  const tooLong = () => failure('timeout', `The document took longer than ${ms / 1000} s to read, the limit for its size`)
  const clock = setTimeout(() => breach(tooLong()), ms * CLOCK_PER_PROCESSOR_TIME)
  const scale = setInterval(async () => {
    const used = await usageOf(child.pid)
    if (used.residentBytes > limits.memoryBytesMax) breach(tooMuchMemory(limits))
    if (used.processorMs > ms) breach(tooLong())
  }, LOOK_MS)
  let output = 0
  child.stdout.on('data', (part: Buffer) => {
    output += part.length
    if (output > limits.textBytesMax * OUTPUT_PER_TEXT_BYTE)
      breach(failure('too_large', `The document holds more than ${limits.textBytesMax} bytes of text, the limit`))
  })
  child.on('exit', (_code, signal) => {
    if (signal === 'SIGABRT') watch.breach ??= tooMuchMemory(limits) // V8 aborts when its heap is full
  })
  function end() {
    clearTimeout(clock)
    clearInterval(scale)
  }
  return watch
}

function tooMuchMemory(limits: ExtractLimits): Failure {
  return failure('too_large', `Reading the document took more than ${limits.memoryBytesMax / MEGABYTE} MiB of memory, the limit`)
}

type Collected = { text: string; sections: Section[]; done?: Done['done']; refusal?: Refused['refusal']; complaint: string }

/** Reads the child's messages as they come, a line at a time, so that a large document never holds up the event loop. */
async function collect(child: Child): Promise<Collected> {
  const found: Collected = { text: '', sections: [], complaint: '' }
  child.stderr.on('data', (part: Buffer) => {
    found.complaint = (found.complaint + part).slice(0, COMPLAINT_LENGTH_MAX)
  })
  for await (const line of createInterface({ input: child.stdout })) {
    const message = JSON.parse(line) as Message
    if ('text' in message) found.text += message.text
    else if ('section' in message) found.sections.push(message.section)
    else Object.assign(found, message)
  }
  return found
}
