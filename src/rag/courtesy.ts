// Documents give way to questions: somebody waits for the one, nobody in particular for the other. Every step of a document asks here before
// it begins, and waits while a question is under way, though never longer than a moment, so that documents get on whatever is asked.
import { setTimeout as pause } from 'node:timers/promises'

/** Longest that a step of a document, or a batch of its passages, waits for questions, in milliseconds. */
const WAIT_MS_MAX = 100
/** How long a question is still under way once it is worked out, in milliseconds: the answer is yet to be written and to pass the edge. */
const LEAVING_MS = 4

export function openCourtesy(waitMsMax = WAIT_MS_MAX, leavingMs = LEAVING_MS) {
  let asked = 0
  let quiet = Promise.withResolvers<void>()
  const asking = new Int32Array(new SharedArrayBuffer(4))

  function enter() {
    if (asked++ > 0) return
    quiet = Promise.withResolvers()
    Atomics.store(asking, 0, 1)
  }

  function leave() {
    if (--asked > 0) return
    Atomics.store(asking, 0, 0)
    Atomics.notify(asking, 0)
    quiet.resolve()
  }

  return {
    /** What threads look at between two passages: 1 while a question is under way. */
    asking,

    /** Does `work`, which answers a question. */
    async question<T>(work: () => Promise<T>): Promise<T> {
      enter()
      try {
        return await work()
      } finally {
        setTimeout(leave, leavingMs)
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

/** Makes a function that blocks its thread while a question is under way, for a moment at most however often it is called. */
export function patience(asking: Int32Array, waitMsMax = WAIT_MS_MAX): () => void {
  let leftMs = waitMsMax
  return () => {
    const began = performance.now()
    Atomics.wait(asking, 0, 1, leftMs)
    leftMs = Math.max(0, leftMs - (performance.now() - began))
  }
}
