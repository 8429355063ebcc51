// What a worker thread keeps open, one for each collection folder: the least recently used is closed when there are too many, or when
// together they take too much memory. One that is closed for good is not opened again.
import { existsSync } from 'node:fs'

const OPEN_MAX = 64

interface Held {
  close(): void
}

/**
 * `open` gives what is kept for a folder, or nothing; `how` is what it is told besides. `bytesOf` is what that takes in memory, of which
 * there shall be `bytesMax` at most.
 */
export function openFiles<Kept extends Held | undefined, How = undefined>(
  open: (dir: string, how: How) => Kept,
  bytesOf: (kept: NonNullable<Kept>) => number = () => 0,
  bytesMax = Number.POSITIVE_INFINITY,
) {
  /** In the order of their last use. */
  const kept = new Map<string, NonNullable<Kept>>()
  /** Folders that are about to be removed. Of those that are gone nothing can be opened anyway. */
  const ended = new Set<string>()

  function close(dir: string) {
    kept.get(dir)?.close()
    kept.delete(dir)
  }

  function makeRoom() {
    let bytes = kept.values().reduce((sum, one) => sum + bytesOf(one), 0)
    for (const [dir, one] of kept) {
      if (kept.size < OPEN_MAX && bytes <= bytesMax) return
      bytes -= bytesOf(one)
      close(dir)
    }
  }

  return {
    close,
    /** Closes it for good, so that its folder can be removed: whoever still asks for it is given nothing. */
    end(dir: string) {
      for (const one of ended) if (!existsSync(one)) ended.delete(one)
      ended.add(dir)
      close(dir)
    },
    isEnded: (dir: string) => ended.has(dir),
    /** What is open for a folder just now, without using it. */
    peek: (dir: string) => kept.get(dir),
    of(dir: string, how: How): Kept | undefined {
      if (ended.has(dir)) return undefined
      const known = kept.get(dir)
      kept.delete(dir)
      makeRoom()
      const found = known ?? open(dir, how)
      if (found) kept.set(dir, found)
      return found
    },
  }
}
