// A model asked again when it could not be reached or had no room, a few times, each time after a longer, random wait. Once a piece has come
// nothing is repeated: what was said was said.
import { setTimeout as pause } from 'node:timers/promises'
import { Broken, type Model } from './model.ts'

const RETRIES_MAX = 2
/** Longest wait before the first repetition, in milliseconds; it doubles. */
const WAIT_MS = 400
/** Longest wait a server may ask for; one that asks for more is taken at its word, and not waited for. */
const ASKED_MS_MAX = 5_000

/** The model, with repetitions. `random` gives 0 to 1. */
export function patient(model: Model, random: () => number = Math.random): Model {
  return {
    name: model.name,
    async *turn(turn, signal) {
      for (let attempt = 0; ; attempt += 1) {
        let hasSpoken = false
        try {
          for await (const piece of model.turn(turn, signal)) {
            hasSpoken = true
            yield piece
          }
          return
        } catch (error) {
          if (hasSpoken || attempt === RETRIES_MAX || !(error instanceof Broken) || !isPassing(error)) throw error
          await pause(Math.max(error.retryAfterMs ?? 0, random() * WAIT_MS * 2 ** attempt), undefined, { signal })
        }
      }
    },
  }
}

function isPassing({ reason, retryAfterMs = 0 }: Broken): boolean {
  return (reason === 'unreachable' || reason === 'rate_limited') && retryAfterMs <= ASKED_MS_MAX
}
