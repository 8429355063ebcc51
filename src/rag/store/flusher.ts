// Waits for the disk without blocking the thread: what was written to a file when it was asked is on disk when it answers, and who asks
// while the disk is busy waits together with the others for the next time. Once the disk has said that it lost something, nothing is on disk
// for sure any more: the kernel says it once and takes what it could not write for written.
import { dirname } from 'node:path'
import { sync } from './sync.ts'

/**
 * Makes a function that resolves when all that `file` holds when it is called is on disk, its name too; once that has failed it always
 * rejects, and `failed` is told, once.
 */
export function flusher(file: string, failed: (error: unknown) => void): () => Promise<void> {
  let under: Promise<void> = Promise.resolve()
  let next: Promise<void> | undefined
  let isNamed = false
  let lost: unknown

  async function flush() {
    if (lost) throw lost
    try {
      await sync(file)
      if (!isNamed) await sync(dirname(file))
      isNamed = true
    } catch (error) {
      if ((error as NodeJS.ErrnoException).syscall === 'fsync') {
        lost = error
        failed(error)
      }
      throw error
    }
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
