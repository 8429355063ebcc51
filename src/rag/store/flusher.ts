// Waits for the disk without blocking the thread: what was written to a file when it was asked is on disk when it answers, and who asks
// while the disk is busy waits together with the others for the next time.
import { dirname } from 'node:path'
import { sync } from './sync.ts'

/** Makes a function that resolves when all that `file` holds when it is called is on disk, its name too. */
export function flusher(file: string): () => Promise<void> {
  let under: Promise<void> = Promise.resolve()
  let next: Promise<void> | undefined
  let isNamed = false

  async function flush() {
    await sync(file)
    if (!isNamed) await sync(dirname(file))
    isNamed = true
  }

  return () => {
    next ??= under
      .catch(() => {}) // that was for those who waited for it
      .then(() => {
        under = next ?? under
        next = undefined
        return flush()
      })
    return next
  }
}
