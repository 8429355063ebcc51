// Reads documents in child processes that cannot hurt the service (reader.ts). A child that has read a small document well waits a moment for
// the next one of the same user, since starting one takes longer than reading most documents. What a document did to its reader never
// meets another user's, and a refusal is believed only from a child that has read nothing else.
import { type FileHandle, open } from 'node:fs/promises'
import { Failure } from '../../platform/errors.ts'
import { type Extracted, type ExtractLimits, MEGABYTE, type Reader, startReader, timeFor } from './reader.ts'

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

/** Larger documents get a child of their own. */
const SHARED_BYTES_MAX = MEGABYTE
/** A child that has grown larger, or has used more processor time, is not given another document. */
const RESIDENT_BYTES_MAX = 256 * MEGABYTE
const LIFE_MS_MAX = 10_000
/** How long a child waits for the next document, and what those who wait take together: the users that upload at once get their own back. */
const patience = { msMax: 2_000, residentBytesMax: 1024 * MEGABYTE }
/** What a child says that has nothing to do with the documents it has read before. */
const FINAL = new Set(['timeout', 'cancelled'])

/** A document of a user: its bytes at `path`; `name` decides only between plain-text formats. */
interface File {
  path: string
  name: string
  user: string
}
interface Opened extends File {
  source: FileHandle
  size: number
}
interface Idle {
  user: string
  reader: Reader
  residentBytes: number
  timer: NodeJS.Timeout
}

/** Opens the place where documents are read. */
export function openReaders(limits: ExtractLimits = extractLimits, { msMax, residentBytesMax } = patience) {
  let idle: Idle[] = []

  function leave(one: Idle) {
    clearTimeout(one.timer)
    idle = idle.filter(other => other !== one)
  }

  async function fresh({ user, source, name, size }: Opened, signal?: AbortSignal) {
    const reader = startReader(limits, timeFor(limits, Math.max(size, SHARED_BYTES_MAX)) + LIFE_MS_MAX)
    const extracted = await reader.read(source, name, size, signal)
    await keep(user, reader, size)
    return extracted
  }

  /** What a child that has waited makes of it; nothing when that is to be asked of a fresh one. */
  async function waited({ user, source, name, size }: Opened, signal?: AbortSignal) {
    const one = size <= SHARED_BYTES_MAX ? idle.find(other => other.user === user) : undefined
    if (!one) return undefined
    leave(one)
    const extracted = await one.reader.read(source, name, size, signal).catch(error => {
      if (error instanceof Failure && FINAL.has(error.code)) throw error
    })
    if (extracted) await keep(user, one.reader, size)
    return extracted
  }

  async function keep(user: string, reader: Reader, size: number) {
    const { residentBytes, processorMs } = await reader.usage()
    if (size > SHARED_BYTES_MAX || residentBytes > RESIDENT_BYTES_MAX || processorMs > LIFE_MS_MAX) return reader.kill()
    const one: Idle = { user, reader, residentBytes, timer: setTimeout(() => void end(one), msMax) }
    idle.push(one)
    while (idle.reduce((sum, other) => sum + other.residentBytes, 0) > residentBytesMax) await end(idle[0] as Idle)
  }

  async function end(one: Idle) {
    leave(one)
    await one.reader.kill()
  }

  return {
    /** Reads a document. Throws like a reader does. */
    async extract(file: File, signal?: AbortSignal): Promise<Extracted> {
      const source = await open(file.path)
      try {
        const opened = { ...file, source, size: (await source.stat()).size }
        return (await waited(opened, signal)) ?? (await fresh(opened, signal))
      } finally {
        await source.close()
      }
    },

    /** Ends the children that wait; call it when nothing is being read. */
    async close() {
      await Promise.all(idle.map(end))
    },
  }
}
