// Work that goes on by itself until the process leaves: one run at a time, once more when it was asked for meanwhile, and again after a
// pause when it failed, since a full disk is not full for ever. Nothing the work throws gets past it.

/** Pause before what failed is tried again, in milliseconds. */
const AGAIN_MS = 5000

interface Parts {
  /** Returns early once it is told that the process leaves. */
  work: (leaving: AbortSignal) => Promise<void>
  /** Told of every failure before the pause. */
  failed: (error: unknown) => void
  againMs?: number
}

export function openErrand({ work, failed, againMs = AGAIN_MS }: Parts) {
  const leaving = new AbortController()
  let timer: NodeJS.Timeout | undefined
  let running: Promise<void> | undefined
  let isWanted = false

  async function run() {
    while (isWanted && !leaving.signal.aborted) {
      isWanted = false
      await work(leaving.signal).catch(error => {
        if (leaving.signal.aborted) return
        failed(error)
        timer = setTimeout(begin, againMs).unref()
      })
    }
    running = undefined
  }

  function begin() {
    clearTimeout(timer)
    if (leaving.signal.aborted) return
    isWanted = true
    running ??= run()
  }

  return {
    /** Starts the work, or has it run once more. */
    begin,

    async close() {
      leaving.abort()
      clearTimeout(timer)
      await running
    },
  }
}
