// One log file per part. A part writes to it directly (no process of ours stands between, so a busy log costs the stack nothing);
// here it is only kept from growing without end and read back. A full disk loses what is said, and never the process that says it.
import { closeSync, copyFileSync, fstatSync, ftruncateSync, mkdirSync, openSync, readSync, writeSync } from 'node:fs'
import { dirname } from 'node:path'

/** Largest log file, in bytes; at that size it becomes `<name>.1`, of which one is kept. */
const LOG_BYTES_MAX = 20 * 1024 * 1024
/** Time between two looks at the size, in milliseconds. */
const LOOK_EVERY_MS = 10_000

export interface Log {
  /** Open for appending; given to a child as its output. */
  fd: number
  /** Bytes written so far. */
  size(): number
  /** What was written from byte `from` on. */
  read(from?: number): string
  write(text: string | Uint8Array): void
  close(): void
}

/** Opens a log file for appending, making its folder. */
export function openLog(path: string): Log {
  mkdirSync(dirname(path), { recursive: true })
  const fd = openSync(path, 'a+', 0o600)
  const size = () => fstatSync(fd).size
  // Copy and truncate, because the part goes on writing to the same open file; what it says between the two steps is lost.
  const bound = () => {
    if (size() < LOG_BYTES_MAX) return
    ifPossible(() => copyFileSync(path, `${path}.1`))
    ifPossible(() => ftruncateSync(fd))
  }
  bound()
  const timer = setInterval(bound, LOOK_EVERY_MS)
  timer.unref()
  return {
    fd,
    size,
    read(from = 0) {
      const bytes = Buffer.alloc(Math.max(0, size() - from))
      return bytes.toString('utf8', 0, readSync(fd, bytes, 0, bytes.length, from))
    },
    write: text => ifPossible(() => writeSync(fd, text as string)),
    close() {
      clearInterval(timer)
      closeSync(fd)
    },
  }
}

function ifPossible(step: () => unknown) {
  try {
    step()
  } catch {
    // The log itself is where it would be told.
  }
}
