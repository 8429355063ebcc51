// Work that goes on by itself until the process leaves: one run at a time, once more when it was asked for meanwhile, and again after a
// pause when it failed, since a full disk is not full for ever. Nothing the work throws gets past it.

/** Pause before what failed is tried again, in milliseconds. */
const AGAIN_MS = 5000

interface Parts {
  /** Returns early once `leaving` is aborted. */
  work: () => Promise<void>
  /** Told of every failure before the pause. */
  failed: (error: unknown) => void
  againMs?: number
}

export function openErrand({ work, failed, againMs = AGAIN_MS }: Parts) {
  const closing = new AbortController()
  const leaving = closing.signal
  let timer: NodeJS.Timeout | undefined
  let running: Promise<void> | undefined
  let isWanted = false

  async function run() {
    while (isWanted && !leaving.aborted) {
      isWanted = false
      await work().catch(error => {
        if (leaving.aborted) return
        failed(error)
        timer = setTimeout(begin, againMs).unref()
      })
    }
    running = undefined
  }

  function begin() {
    clearTimeout(timer)
    if (leaving.aborted) return
    isWanted = true
    running ??= run()
  }

  return {
    leaving,

    /** Starts the work, or has it run once more. */
    begin,

    async close() {
      closing.abort()
      clearTimeout(timer)
      await running
    },
  }
}
