// What a canonical text holds at a place, read at once: the thread that searches compares each passage with it before it is given out.
import { closeSync, openSync, readSync } from 'node:fs'

/** Whether the file holds `bytes` from byte `start` on; one that is not there holds nothing. */
export function holdsAt(path: string, start: number, bytes: Uint8Array): boolean {
  let file: number
  try {
    file = openSync(path, 'r')
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return false
    throw error
  }
  try {
    const found = Buffer.allocUnsafe(bytes.length)
    return readSync(file, found, 0, found.length, start) === bytes.length && found.equals(bytes)
  } finally {
    closeSync(file)
  }
}
