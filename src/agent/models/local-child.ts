// The process the model of this machine runs in, and the only place that knows node-llama-cpp. It reads one request a line from its standard
// input and writes what comes of it as lines of JSON; it ends when there is nobody left to ask. It has no environment, no network, and no
// files but the program's own and the model's (local-process.ts sees to that).
import { createInterface } from 'node:readline'
import { getLlama, LlamaChatSession, LlamaLogLevel } from 'node-llama-cpp'
import { lineOf } from '../../platform/lines.ts'
import type { Order, Told } from './local-process.ts'

/** A model that can hold more is given no more: its memory grows with it. */
const CONTEXT_TOKENS_MAX = 4096
/** Tokens that are read at once; between two batches a request can be ended. */
const BATCH_TOKENS = 128
/**
 * One: the threads of this runtime wait for each other by spinning, so that with as many of them as cores one other busy process costs a
 * hundredfold (measured: 12 s for a token of SmolLM2-135M instead of 20 ms).
 */
const THREADS = 1
/** What the template of a chat adds to its texts, at most, in tokens. */
const TEMPLATE_TOKENS = 64

const tell = (message: Told) => process.stdout.write(lineOf(message))
const [modelPath = ''] = process.argv.slice(2)

const llama = await getLlama({
  gpu: false,
  build: 'never',
  progressLogs: false,
  maxThreads: THREADS,
  logLevel: LlamaLogLevel.error,
  logger: (_, text) => process.stderr.write(text),
})
const model = await llama.loadModel({ modelPath })
const context = await model.createContext({
  contextSize: { max: CONTEXT_TOKENS_MAX },
  batchSize: BATCH_TOKENS,
  threads: THREADS,
})
const sequence = context.getSequence()
tell('ready')

let stopping = new AbortController()
let working: Promise<unknown> = Promise.resolve()

/** One answer to one prompt: the likeliest word each time, from an empty memory, so that the same prompt gives the same words. */
async function answer({ system, prompt, outputTokensMax }: Order, signal: AbortSignal): Promise<void> {
  const asked = model.tokenize(`${system}\n${prompt}`).length
  if (asked + TEMPLATE_TOKENS + outputTokensMax > context.contextSize) {
    tell({ usage: { input_tokens: 0, output_tokens: 0 } })
    return void tell({ fault: 'too_long' })
  }
  await sequence.clearHistory()
  const before = sequence.tokenMeter.getState()
  const session = new LlamaChatSession({ contextSequence: sequence, systemPrompt: system })
  try {
    const { stopReason } = await session.promptWithMeta(prompt, {
      temperature: 0,
      maxTokens: outputTokensMax,
      signal,
      stopOnAbortSignal: true,
      onTextChunk: text => tell({ text }),
    })
    if (stopReason === 'maxTokens') tell({ cut: true })
  } catch (error) {
    if (!signal.aborted) throw error
  } finally {
    session.dispose()
  }
  const { usedInputTokens: input_tokens, usedOutputTokens: output_tokens } = sequence.tokenMeter.diff(before)
  tell({ usage: { input_tokens, output_tokens } })
}

for await (const line of createInterface({ input: process.stdin })) {
  const order = JSON.parse(line) as Order | 'stop'
  if (order === 'stop') stopping.abort()
  else {
    stopping = new AbortController()
    working = answer(order, stopping.signal).then(() => tell('done'))
  }
}
stopping.abort()
await working
await llama.dispose()
