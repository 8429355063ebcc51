// The sealed audit log on disk: JSON lines, one per event, each carrying the hash of everything before it, and after each batch one
// signed seal. A segment file only ever grows, and is followed by the next when it is full.
import { createHash, randomUUID } from 'node:crypto'
import { closeSync, fstatSync, fsync, mkdirSync, openSync, writeSync } from 'node:fs'
import { open, readdir, readFile, rename, rm, truncate, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { promisify } from 'node:util'

/** A segment is closed at about this size, in bytes, so that it can be read whole. */
const SEGMENT_BYTES_MAX = 4 * 1024 * 1024
const GENESIS = '0'.repeat(64)
const onDisk = promisify(fsync)

/** How far the log reaches: number and hash of its last event, and that event's stream id. */
export interface Head {
  seq: number
  hash: string
  id: string
}
/** A head that was signed: what it was before (`from`, a number), by which key, when (ms since 1970). */
export interface Seal extends Head {
  from: number
  kid: string
  time: number
  signature: string
}
/** One event: stream id and the JSON text exactly as it was stored. */
export interface Entry {
  id: string
  text: string
}
type Line = ({ seq: number; prev: string; hash: string } & Entry) | { seal: Seal }

export const emptyHead: Head = { seq: 0, hash: GENESIS, id: '0-0' }

/** SHA-256 over the hash before, the place, the id and the text. */
function chained(prev: string, seq: number, { id, text }: Entry): string {
  return createHash('sha256').update(`${prev}\n${seq}\n${id}\n${text}`).digest('hex')
}

export function openSegments(dir: string) {
  mkdirSync(dir, { recursive: true })
  const nameOf = (number: number) => `${String(number).padStart(8, '0')}.jsonl`
  const files = async () => (await readdir(dir)).filter(name => /^\d{8}\.jsonl$/.test(name)).toSorted()

  async function linesOf(name: string): Promise<Line[]> {
    const text = await readFile(join(dir, name), 'utf8')
    return text.split('\n').filter(Boolean).map(parse)
  }

  /** The first line of a segment; all others are of later events. */
  async function firstOf(name: string): Promise<Line | undefined> {
    const file = await open(join(dir, name))
    try {
      for await (const line of file.readLines()) return parse(line)
      return undefined
    } finally {
      await file.close() // the loop leaves it open, and reading on
    }
  }

  /** The last segment as this process left it; it may be written to only while it still is. */
  let left: { name: string; bytes: number } | undefined

  /** The last seal on disk, and of each file that was looked at, newest first, how many of its bytes end with a seal. */
  async function lastSeal(): Promise<{ seal?: Seal; tails: { name: string; kept: number; bytes: number }[] }> {
    const tails = []
    for (const name of (await files()).toReversed()) {
      // One character for each byte; a seal has none beyond ASCII.
      const text = await readFile(join(dir, name), 'latin1')
      const lines = text.split('\n').slice(0, -1)
      const last = lines.findLastIndex(line => line.startsWith('{"seal":'))
      const kept = lines.slice(0, last + 1).reduce((sum, line) => sum + line.length + 1, 0)
      tails.push({ name, kept, bytes: text.length })
      if (last >= 0) return { seal: (JSON.parse(lines[last] as string) as { seal: Seal }).seal, tails }
    }
    return { tails }
  }

  return {
    /** The last seal on disk. */
    last: async () => (await lastSeal()).seal,

    /** The last seal on disk, to go on from; what a crash left behind it is cut off, for the stream still holds it. */
    async recover(): Promise<Seal | undefined> {
      const { seal, tails } = await lastSeal()
      for (const { name, kept, bytes } of tails) if (kept < bytes) await truncate(join(dir, name), kept)
      left = { name: tails[0]?.name ?? nameOf(1), bytes: tails[0]?.kept ?? 0 }
      return seal
    },

    /** Chains `entries` after `head`; nothing is written yet. */
    chain(head: Head, entries: Entry[]): { lines: string[]; head: Head } {
      let { seq, hash } = head
      const lines = entries.map(entry => {
        const prev = hash
        seq += 1
        hash = chained(prev, seq, entry)
        return JSON.stringify({ seq, prev, hash, ...entry })
      })
      return { lines, head: { seq, hash, id: entries.at(-1)?.id ?? head.id } }
    },

    /**
     * Appends a batch and its seal, and waits until the disk has them. False, with nothing written, when somebody else has written since
     * this process did: whoever lost its turn without knowing cannot put a second chain beside the first.
     */
    async append(lines: string[], seal: Seal): Promise<boolean> {
      if (!left) return false
      const full = left.bytes >= SEGMENT_BYTES_MAX
      const at = full ? { name: nameOf(Number.parseInt(left.name, 10) + 1), bytes: 0 } : left
      const bytes = Buffer.from(`${[...lines, JSON.stringify({ seal })].join('\n')}\n`)
      left = undefined
      const file = openSync(join(dir, at.name), 'a', 0o600)
      try {
        // One look and one write, with nothing in between that could wait.
        if (fstatSync(file).size !== at.bytes) return false
        for (let written = 0; written < bytes.length; ) written += writeSync(file, bytes, written)
        await onDisk(file)
      } finally {
        closeSync(file)
      }
      left = { name: at.name, bytes: at.bytes + bytes.length }
      await writeHead(dir, seal)
      return true
    },

    /** The head file, written after every batch. */
    head: async () =>
      readFile(join(dir, 'head.json'), 'utf8').then(
        text => JSON.parse(text) as Seal,
        () => undefined,
      ),

    /** Walks the whole log and says where it first differs from what was written; `genuine` checks a seal's signature. */
    async check(
      genuine: (seal: Seal) => boolean,
      each: (entry: Entry & { seq: number; hash: string }) => void,
    ): Promise<{ head: Head; bad?: { seq: number; problem: string } }> {
      let head = emptyHead
      let sealed = emptyHead
      for (const name of await files()) {
        for (const line of await linesOf(name).catch(() => [undefined])) {
          const at = head.seq + 1
          const bad = (problem: string) => ({ head, bad: { seq: at, problem } })
          if (line === undefined) return bad('a line cannot be read')
          if ('seal' in line) {
            const { from, seq, hash, id } = line.seal
            if (from !== sealed.seq || seq !== head.seq || hash !== head.hash || id !== head.id)
              return bad('a seal does not fit what it seals')
            if (!genuine(line.seal)) return bad('a seal was not signed by this log')
            sealed = head
            continue
          }
          if (line.seq !== at || line.prev !== head.hash) return bad('an entry is missing, added or out of order')
          if (line.hash !== chained(head.hash, at, line)) return bad('an entry was changed')
          head = { seq: at, hash: line.hash, id: line.id }
          each(line)
        }
      }
      return sealed.seq === head.seq ? { head } : { head, bad: { seq: sealed.seq + 1, problem: 'entries without a seal' } }
    },

    /** Entries newest first, from before `before` (a stream id), one segment at a time; those that only hold later ones are not read. */
    async *backwards(before: string): AsyncGenerator<Entry> {
      for (const name of (await files()).toReversed()) {
        const first = await firstOf(name)
        if (first && !('seal' in first) && !earlier(first.id, before)) continue
        for (const line of (await linesOf(name)).toReversed()) {
          if (!('seal' in line) && earlier(line.id, before)) yield { id: line.id, text: line.text }
        }
      }
    },
  }
}

export type Segments = ReturnType<typeof openSegments>

/** An event as Redis gives it. */
export function entryOf([id, fields]: [string, string[]]): Entry {
  return { id, text: fields[1] ?? '' }
}

/** Compares stream ids, `ms-number`. */
export function earlier(a: string, b: string): boolean {
  const [aMs = 0, aN = 0] = a.split('-').map(Number)
  const [bMs = 0, bN = 0] = b.split('-').map(Number)
  return aMs < bMs || (aMs === bMs && aN < bN)
}

/** Reads a line that is spelt as it was written, to the last byte. */
function parse(text: string): Line {
  const line = JSON.parse(text) as Line
  if (JSON.stringify(line) !== text) throw new Error('a line is not spelt as it was written')
  return line
}

/** By a name of its own first, since two replicas may write at once, and renamed. */
async function writeHead(dir: string, seal: Seal) {
  const path = join(dir, 'head.json')
  const fresh = `${path}.${randomUUID()}`
  try {
    await writeFile(fresh, JSON.stringify(seal), { flush: true, mode: 0o600 })
    await rename(fresh, path)
  } catch (error) {
    await rm(fresh, { force: true })
    throw error
  }
}
