// Documents give way to questions: somebody waits for the one, nobody in particular for the other. Every step of a document asks here before
// it begins, and waits while a question is under way, though never longer than a moment, so that documents get on whatever is asked.
import { setTimeout as pause } from 'node:timers/promises'

/** Longest that a step of a document waits for questions, in milliseconds. */
const WAIT_MS_MAX = 100

export function openCourtesy(waitMsMax = WAIT_MS_MAX) {
  let asked = 0
  let quiet = Promise.withResolvers<void>()

  return {
    /** Does `work`, which answers a question. */
    async question<T>(work: () => Promise<T>): Promise<T> {
      if (asked++ === 0) quiet = Promise.withResolvers()
      try {
        return await work()
      } finally {
        if (--asked === 0) quiet.resolve()
      }
    },

    /** Resolves when no question is under way, or after a moment. */
    async giveWay(): Promise<void> {
      if (asked === 0) return
      const over = new AbortController()
      const moment = pause(waitMsMax, undefined, { signal: over.signal }).catch(() => {})
      await Promise.race([quiet.promise, moment])
      over.abort()
    },
  }
}
