// A small model on this machine. It is loaded when it is first asked, answers one question at a time, and is unloaded when nobody has asked
// for a while; those who come while it answers wait in line, a few of them. Tools are not for it: what it calls is not looked for.
import { basename } from 'node:path'
import { failure } from '../../platform/errors.ts'
import { type LocalProcess, startProcess } from './local-process.ts'
import type { Weights } from './local-weights.ts'
import { Broken, type Model } from './model.ts'

/** Most questions that wait for their turn. */
const WAITING_MAX = 8
/** The most it says, whatever is asked for: it is slow. */
const OUTPUT_TOKENS_MAX = 512
/** What its prompt may hold, about: read at a few hundred tokens a second, before the first word. */
export const LOCAL_PROMPT_TOKENS_MAX = 2000
/** What its process may take beside the file of its model, in bytes: the program, and the memory of a conversation. */
const MEMORY_BYTES_BESIDE = 1024 * 1024 * 1024
/** Unloaded when it has not been asked for this long, in milliseconds. */
const IDLE_MS = 10 * 60_000
const NOTHING_USED = { input_tokens: 0, output_tokens: 0 }

export interface LocalModel extends Model {
  close(): Promise<void>
}

/** The model of these weights; nothing is loaded yet. */
export function openLocal({ path, bytes }: Weights, log: { warn: (context: object, message: string) => void }): LocalModel {
  let running: LocalProcess | undefined
  let idle: NodeJS.Timeout | undefined
  let line: Promise<unknown> = Promise.resolve()
  let waiting = 0

  /** The process, ready; a load that takes longer than `signal` allows goes on for whoever asks next. */
  async function loaded(signal: AbortSignal): Promise<LocalProcess> {
    if (!running || running.isOver()) {
      running = startProcess(path, bytes + MEMORY_BYTES_BESIDE)
      running.ready.catch(({ cause }: Broken) => log.warn({ err: cause, path }, 'the model of this machine could not be loaded'))
    }
    const current = running
    await Promise.race([current.ready, aborted(signal)])
    return current
  }

  /** Waits for the turn of its caller; gives what ends it. */
  async function turnIn(signal: AbortSignal): Promise<() => void> {
    if (waiting >= WAITING_MAX) throw new Broken('busy', { cause: failure('unavailable') })
    waiting += 1
    const { promise: over, resolve: end } = Promise.withResolvers<void>()
    const before = line
    line = before.then(() => over)
    try {
      await Promise.race([before, aborted(signal)])
    } catch (error) {
      end()
      throw error
    } finally {
      waiting -= 1
    }
    return end
  }

  function sleepLater() {
    idle = setTimeout(() => running?.end(), IDLE_MS)
    idle.unref()
  }

  return {
    name: `local/${basename(path).replace(/\.gguf$/i, '')}`,

    isUnmarked: true,

    async *turn({ messages, outputTokensMax }, signal) {
      const said = (role: string) => messages.flatMap(one => (one.role === role ? [one.text] : [])).join('\n')
      const order = {
        system: said('system'),
        prompt: said('user'),
        outputTokensMax: Math.min(outputTokensMax, OUTPUT_TOKENS_MAX),
      }
      let hasBegun = false
      let end: (() => void) | undefined
      try {
        end = await turnIn(signal)
        clearTimeout(idle)
        const current = await loaded(signal)
        hasBegun = true
        yield* current.answer(order, signal)
      } catch (error) {
        if (!hasBegun) yield { usage: NOTHING_USED }
        throw error
      } finally {
        if (end) sleepLater()
        end?.()
      }
    },

    async close() {
      clearTimeout(idle)
      await running?.end()
    },
  }
}

/** Rejects with the reason of the signal once it is aborted. */
function aborted(signal: AbortSignal): Promise<never> {
  return new Promise((_, reject) => {
    const abort = () => reject(signal.reason)
    if (signal.aborted) abort()
    else signal.addEventListener('abort', abort, { once: true })
  })
}
