// One call of a model within its bounds. Tokens are set aside before it, as many as it could use at the worst, and settled after it, however
// it ends; a silence, a length or a time past the limits ends it, whether or not the model listens.
import type { Usage } from '../schemas.ts'
import type { Work } from './answerer.ts'
import { Broken, type Model, type Piece, type Turn } from './model.ts'

export interface Bounds {
  /** Longest wait for the first or the next piece, and longest call, in milliseconds. */
  silenceMsMax: number
  callMsMax: number
}

/** Longest a token is taken to be, in characters; a text past `outputTokensMax` of them is not a text but a fault. */
const TOKEN_CHARS_MAX = 16

/** The pieces of one call. Throws `Broken`, the failure of a budget that does not hold it, and the reason `work.signal` was aborted for. */
export async function* metered(
  model: Model,
  turn: Turn,
  work: Work,
  { silenceMsMax, callMsMax }: Bounds,
): AsyncGenerator<Exclude<Piece, { usage: Usage }>> {
  const inputBytes = Buffer.byteLength(JSON.stringify([turn.messages, turn.tools]))
  const reserved = inputBytes + turn.outputTokensMax
  const lease = await work.reserve(reserved)
  const over = new AbortController()
  const signal = AbortSignal.any([over.signal, work.signal])
  const late = () => over.abort(new Broken('timeout'))
  const whole = setTimeout(late, callMsMax)
  const silence = setTimeout(late, silenceMsMax)
  let reported: Usage | undefined
  let outputBytes = 0
  const pieces = model.turn(turn, signal)[Symbol.asyncIterator]()
  try {
    for (;;) {
      const { done, value: piece } = await orAborted(pieces.next(), signal)
      if (done) return
      silence.refresh()
      if ('usage' in piece) reported = piece.usage
      else {
        if ('text' in piece) outputBytes += Buffer.byteLength(piece.text)
        else if ('call' in piece) outputBytes += Buffer.byteLength(JSON.stringify(piece.call.given) ?? '')
        if (outputBytes > turn.outputTokensMax * TOKEN_CHARS_MAX) throw new Broken('too_long')
        yield piece
      }
    }
  } catch (error) {
    // Aborted by us, the model may say anything about it.
    work.signal.throwIfAborted()
    throw over.signal.aborted ? over.signal.reason : error
  } finally {
    clearTimeout(whole)
    clearTimeout(silence)
    over.abort()
    pieces.return?.().catch(() => undefined)
    const usage = usageOf(reported, { inputBytes, outputBytes, reserved, outputTokensMax: turn.outputTokensMax })
    work.spend(usage)
    await lease.settle(usage.input_tokens + usage.output_tokens)
  }
}

interface Seen {
  inputBytes: number
  outputBytes: number
  reserved: number
  outputTokensMax: number
}

/** What the model says it used, where that can be; otherwise the most it can have used: a token is a byte at the least. */
function usageOf(reported: Usage | undefined, { inputBytes, outputBytes, reserved, outputTokensMax }: Seen): Usage {
  const { input_tokens = -1, output_tokens = -1 } = reported ?? {}
  const isPossible = input_tokens >= 0 && output_tokens >= 0 && input_tokens + output_tokens <= reserved
  return isPossible
    ? { input_tokens, output_tokens }
    : { input_tokens: inputBytes, output_tokens: Math.min(outputBytes, outputTokensMax) }
}

/** The promise, or the reason of the signal when that comes first. */
function orAborted<T>(promise: Promise<T>, signal: AbortSignal): Promise<T> {
  return new Promise((resolve, reject) => {
    const abort = () => reject(signal.reason)
    if (signal.aborted) abort()
    signal.addEventListener('abort', abort, { once: true })
    promise.then(resolve, reject).finally(() => signal.removeEventListener('abort', abort))
  })
}
