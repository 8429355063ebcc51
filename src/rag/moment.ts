// What a client waits for no longer than a moment: it goes on by itself, and the reply says how far it is.
import { setTimeout as pause } from 'node:timers/promises'

/** Longest a client waits for what it stopped or erased to be gone, in milliseconds: while a snapshot is made nothing is removed. */
const MOMENT_MS = 5000

/** Resolves when `work` has ended, which must not reject, or after a moment. */
export async function aMoment(work: Promise<unknown>) {
  const over = new AbortController()
  await Promise.race([work, pause(MOMENT_MS, undefined, over).catch(() => {})])
  over.abort()
}
