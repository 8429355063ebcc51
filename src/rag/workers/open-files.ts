// What a worker thread keeps open, one for each collection folder: the least recently used is closed when there are too many, or when
// together they take too much memory. The largest stays, since the next question would bring it back at the most cost, and so does the one
// that is being worked on. One that is closed for good is not opened again.
import { existsSync } from 'node:fs'

const OPEN_MAX = 64

interface Held {
  close(): void
}

/**
 * `open` gives what is kept for a folder, or nothing; `how` is what it is told besides. `bytesOf` is what that takes in memory, of which
 * there shall be `bytesMax` at most beside the largest.
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
  let held: string | undefined

  function close(dir: string) {
    kept.get(dir)?.close()
    kept.delete(dir)
  }

  /** Closes what is too much beside `asked`. */
  function makeRoom(asked: string) {
    const sizes = [...kept].map(([dir, one]) => ({ dir, bytes: bytesOf(one) }))
    const largest = sizes.reduce((most, one) => (one.bytes > most.bytes ? one : most), { dir: asked, bytes: 0 })
    let bytes = sizes.reduce((sum, one) => sum + one.bytes, 0) - largest.bytes
    for (const one of sizes) {
      if (kept.size <= OPEN_MAX && bytes <= bytesMax) return
      if (one.dir === asked || one.dir === held || one.dir === largest.dir) continue
      bytes -= one.bytes
      close(one.dir)
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
    /** From now on this one, and no other, is only closed when it is asked for. */
    hold(dir: string | undefined) {
      held = dir
    },
    isEnded: (dir: string) => ended.has(dir),
    /** What is open for a folder just now, without using it. */
    peek: (dir: string) => kept.get(dir),
    of(dir: string, how: How): Kept | undefined {
      if (ended.has(dir)) return undefined
      const found = kept.get(dir) ?? open(dir, how)
      kept.delete(dir)
      if (found) kept.set(dir, found)
      makeRoom(dir)
      return found
    },
  }
}
