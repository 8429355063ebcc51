// Models elsewhere, on every server that speaks OpenAI's protocol (Ollama, vLLM, LM Studio, llama.cpp) and the large vendors, through the AI SDK.
// The one door to its packages. It is asked for one turn at a time: tools run in our loop, repetitions are ours, and what comes is bounded.
import { createAnthropic } from '@ai-sdk/anthropic'
import { createGoogleGenerativeAI } from '@ai-sdk/google'
import { createOpenAI } from '@ai-sdk/openai'
import { createOpenAICompatible } from '@ai-sdk/openai-compatible'
import { APICallError, jsonSchema, type LanguageModel, type ModelMessage, streamText, tool } from 'ai'
import { Broken, type Call, type Message, type Model, type Piece } from './model.ts'
import type { Provider } from './providers.ts'

/** Longest reply, in bytes, and longest arguments of its calls together, in characters. */
const REPLY_BYTES_MAX = 4_000_000
const ARGUMENTS_CHARS_MAX = 64_000

export interface Remote {
  provider: Provider
  model: string
  /** The vendor's own, unless given; an OpenAI-compatible server has none. */
  baseUrl?: string
  apiKey?: string
}

/** The model as it is configured; nothing is asked of it yet. */
export function remote({ provider, model, baseUrl: baseURL, apiKey }: Remote): Model {
  const settings = { baseURL, apiKey, fetch: boundedFetch }
  const languageModel = {
    openai_compatible: () =>
      createOpenAICompatible({ ...settings, baseURL: baseURL ?? '', name: provider, includeUsage: true })(model),
    openai: () => createOpenAI(settings).chat(model),
    anthropic: () => createAnthropic(settings)(model),
    google: () => createGoogleGenerativeAI(settings)(model),
  }[provider]()
  return {
    name: `${provider}/${model}`,
    async *turn(turn, signal) {
      try {
        yield* pieces(languageModel, turn, signal)
      } catch (error) {
        throw broken(error)
      }
    },
  }
}

async function* pieces(
  model: LanguageModel,
  { messages, tools, outputTokensMax }: Parameters<Model['turn']>[0],
  signal: AbortSignal,
): AsyncGenerator<Piece> {
  const { stream } = streamText({
    model,
    instructions: messages.flatMap(one => (one.role === 'system' ? [one.text] : [])).join('\n'),
    messages: messages.flatMap(modelMessage),
    tools: Object.fromEntries(
      tools.map(({ name, description, parameters }) => [name, tool({ description, inputSchema: jsonSchema({ ...parameters }) })]),
    ),
    maxOutputTokens: outputTokensMax,
    maxRetries: 0,
    temperature: 0,
    abortSignal: signal,
    onError: () => undefined,
  })
  let argumentChars = 0
  for await (const part of stream) {
    if (part.type === 'text-delta') {
      if (part.text) yield { text: part.text }
    } else if (part.type === 'tool-input-delta') {
      argumentChars += part.delta.length
      if (argumentChars > ARGUMENTS_CHARS_MAX) throw new Broken('too_long')
    } else if (part.type === 'tool-call') {
      yield { call: { id: part.toolCallId, name: part.toolName, ...argumentsOf(part) } }
    } else if (part.type === 'finish-step') {
      const { inputTokens: input_tokens, outputTokens: output_tokens } = part.usage
      if (Number.isInteger(input_tokens) && Number.isInteger(output_tokens))
        yield { usage: { input_tokens: Number(input_tokens), output_tokens: Number(output_tokens) } }
      // A stream that just stops never said why.
      if (part.rawFinishReason === undefined) throw new Broken('unusable')
      if (part.finishReason === 'length' || part.finishReason === 'content-filter') yield { cut: true }
    } else if (part.type === 'error') throw broken(part.error)
    else if (part.type === 'abort') signal.throwIfAborted()
  }
}

/** Arguments that are not JSON arrive as the text they are. */
function argumentsOf({ input, invalid }: { input: unknown; invalid?: boolean }): Pick<Call, 'given' | 'fault'> {
  return invalid && typeof input === 'string' ? { given: {}, fault: 'The arguments are not JSON' } : { given: input }
}

function modelMessage(message: Message): ModelMessage[] {
  if (message.role === 'system') return []
  if (message.role === 'user') return [{ role: message.role, content: message.text }]
  if (message.role === 'assistant') {
    const calls = message.calls.map(({ id, name, given }) => ({
      type: 'tool-call' as const,
      toolCallId: id,
      toolName: name,
      input: given,
    }))
    return [{ role: 'assistant', content: [...(message.text ? [{ type: 'text' as const, text: message.text }] : []), ...calls] }]
  }
  const { call, text } = message
  return [
    {
      role: 'tool',
      content: [{ type: 'tool-result', toolCallId: call.id, toolName: call.name, output: { type: 'text', value: text } }],
    },
  ]
}

/** `fetch` that follows no redirect and ends a reply that is too long. */
async function boundedFetch(input: Parameters<typeof fetch>[0], init?: RequestInit): Promise<Response> {
  const reply = await fetch(input, { ...init, redirect: 'error' })
  if (!reply.body) return reply
  let left = REPLY_BYTES_MAX
  const counted = reply.body.pipeThrough(
    new TransformStream<Uint8Array, Uint8Array>({
      transform(part, controller) {
        left -= part.byteLength
        if (left < 0) controller.error(new Broken('too_long'))
        else controller.enqueue(part)
      },
    }),
  )
  return new Response(counted, reply)
}

/** What went wrong, in one of our words. */
function broken(cause: unknown): Broken {
  const whole = chain(cause)
  const ours = whole.find(one => one instanceof Broken)
  if (ours) return ours
  const call = whole.find(one => APICallError.isInstance(one))
  const { statusCode, responseHeaders } = call ?? {}
  if (statusCode === 429) return new Broken('rate_limited', { cause, retryAfterMs: retryAfter(responseHeaders?.['retry-after']) })
  if (statusCode !== undefined && statusCode >= 500)
    return new Broken('unreachable', { cause, retryAfterMs: retryAfter(responseHeaders?.['retry-after']) })
  if (statusCode !== undefined && statusCode >= 400) return new Broken('refused', { cause })
  const isAway = whole.some(
    one => one instanceof TypeError || /^(ECONN|EPIPE|ENOTFOUND|EAI_|UND_ERR)/.test(String((one as { code?: string }).code)),
  )
  return new Broken(isAway ? 'unreachable' : 'unusable', { cause })
}

function chain(error: unknown): unknown[] {
  const found: unknown[] = []
  for (let one = error; one instanceof Error && found.length < 8; one = one.cause) found.push(one)
  return found
}

/** `Retry-After` (RFC 9110, 10.2.3) in milliseconds; nothing when it says nothing that can be read. */
function retryAfter(value: string | undefined): number | undefined {
  if (value === undefined) return undefined
  const ms = /^\d{1,9}$/.test(value) ? Number(value) * 1000 : Date.parse(value) - Date.now()
  return Number.isNaN(ms) ? undefined : Math.max(0, ms)
}
