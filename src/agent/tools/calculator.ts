// Arithmetic, exactly. It runs in a thread of its own with little memory, one calculation at a time, and a calculation that takes too
// long ends with its thread, so that no expression holds up anything but itself.
import { once } from 'node:events'
import { Worker } from 'node:worker_threads'
import Type from 'typebox'
import { failure } from '../../platform/errors.ts'
import { demand } from './arguments.ts'
import type { Tool } from './tool.ts'

/** Longest calculation, and longest wait for its thread to start, in milliseconds. */
const CALCULATION_MS_MAX = 2000
const START_MS_MAX = 15_000
/** Most calculations that wait for their turn. */
const WAITING_MAX = 50
const MEMORY_MB_MAX = 96
const RESULT_CHARS_MAX = 1000

const Calculation = Type.Object(
  { expression: Type.String({ minLength: 1, maxLength: 500, description: 'Like (3 + 4)^2 / 7, sqrt(2), or 5 km to mile' }) },
  { additionalProperties: false, title: 'Calculation' },
)

interface Outcome {
  result?: string
  fault?: string
}

/** The calculator; its thread starts with the first calculation and ends with `close`. */
export function openCalculator(): { tool: Tool; close(): Promise<void> } {
  let worker: Worker | undefined
  let turn: Promise<unknown> = Promise.resolve()
  let waiting = 0

  async function heard(from: Worker, msMax: number): Promise<Outcome> {
    const [outcome] = await once(from, 'message', { signal: AbortSignal.timeout(msMax) })
    return outcome as Outcome
  }

  async function end() {
    const ending = worker
    worker = undefined
    await ending?.terminate()
  }

  async function calculated(expression: string): Promise<Outcome> {
    if (!worker) {
      const resourceLimits = { maxOldGenerationSizeMb: MEMORY_MB_MAX, maxYoungGenerationSizeMb: 16 }
      worker = new Worker(new URL('./calculating.ts', import.meta.url), { env: {}, execArgv: [], resourceLimits })
      worker.unref()
      // Out of memory, say; whoever waits for it hears of it by `once`.
      worker.on('error', () => undefined)
      try {
        await heard(worker, START_MS_MAX)
      } catch (cause) {
        await end()
        throw failure('unavailable', undefined, { cause })
      }
    }
    try {
      worker.postMessage(expression)
      return await heard(worker, CALCULATION_MS_MAX)
    } catch {
      await end()
      return { fault: 'it takes too much time or memory' }
    }
  }

  const tool: Tool = {
    name: 'calculator',
    description: 'Works out an arithmetic expression, with functions, constants and units.',
    parameters: Calculation,
    permission: 'read:agent',
    numbersFromDocuments: true,
    async run(given, { signal }) {
      const { expression } = demand('calculator', Calculation, given)
      if (waiting >= WAITING_MAX) throw failure('unavailable')
      waiting += 1
      const mine = turn.then(() => (signal.aborted ? { fault: 'it was cancelled' } : calculated(expression)))
      turn = mine.catch(() => undefined)
      const { result, fault } = await mine.finally(() => {
        waiting -= 1
      })
      if (result === undefined)
        throw failure('invalid_request', `This cannot be worked out: ${(fault ?? '').slice(0, RESULT_CHARS_MAX)}`)
      return { text: result.slice(0, RESULT_CHARS_MAX), structured: { result: result.slice(0, RESULT_CHARS_MAX) } }
    },
  }
  return { tool, close: end }
}
