// A server that speaks OpenAI's protocol and does what a script says, well or badly: the model of the tests.
import { once } from 'node:events'
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http'
import type { AddressInfo } from 'node:net'

interface Teardown {
  teardown(action: () => unknown): void
}

/** What an agent sends. */
export interface Sent {
  model: string
  messages: {
    role: string
    content: string | null
    tool_calls?: { id: string; function: { name: string; arguments: string } }[]
    tool_call_id?: string
  }[]
  tools?: { function: { name: string; parameters: object } }[]
  max_tokens?: number
  stream?: boolean
}

/** How one request is answered. */
type Script = (sent: Sent, reply: ServerResponse, request: IncomingMessage) => unknown

export interface Upstream {
  url: string
  /** Every request so far. */
  sent: Sent[]
  /** What is done from now on. */
  play(script: Script): void
  /** Resolves when the next request has come, with what tells that its connection has closed. */
  next(): Promise<{ sent: Sent; closed: Promise<unknown> }>
}

export async function upstream(t: Teardown): Promise<Upstream> {
  const sent: Sent[] = []
  let script: Script = (_, reply) => says(reply, 'Hello.')
  let waiting: ((arrived: { sent: Sent; closed: Promise<unknown> }) => void)[] = []
  const server = createServer(async (request, reply) => {
    const parts: Buffer[] = []
    for await (const part of request) parts.push(part)
    const body = JSON.parse(Buffer.concat(parts).toString()) as Sent
    sent.push(body)
    const closed = once(reply, 'close')
    for (const resolve of waiting) resolve({ sent: body, closed })
    waiting = []
    reply.on('error', () => undefined)
    await script(body, reply, request)
  })
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  t.teardown(() => {
    server.closeAllConnections()
    server.close()
  })
  return {
    url: `http://127.0.0.1:${(server.address() as AddressInfo).port}/v1`,
    sent,
    play(next) {
      script = next
    },
    next: () => new Promise(resolve => waiting.push(resolve)),
  }
}

const head = { id: 'c', object: 'chat.completion.chunk', created: 1, model: 'scripted' }

/** One chunk as it goes over the wire. */
export const chunk = (delta: object, finish: string | null = null, more: object = {}) =>
  `data: ${JSON.stringify({ ...head, choices: [{ index: 0, delta, finish_reason: finish }], ...more })}\n\n`
export const usage = (prompt_tokens: unknown, completion_tokens: unknown) =>
  `data: ${JSON.stringify({ ...head, choices: [], usage: { prompt_tokens, completion_tokens, total_tokens: 0 } })}\n\n`
export const END = 'data: [DONE]\n\n'

export function open(reply: ServerResponse) {
  reply.writeHead(200, { 'content-type': 'text/event-stream' })
  return reply
}

/** A reply that is well: the text in parts of a few characters, then usage. */
export function says(reply: ServerResponse, text: string) {
  open(reply)
  for (const part of text.match(/[\s\S]{1,7}/g) ?? []) reply.write(chunk({ content: part }))
  reply.end(chunk({}, 'stop') + usage(20, 10) + END)
}

/** A reply that calls tools; arguments go out as they are. */
export function calls(reply: ServerResponse, ...made: [name: string, given: string][]) {
  const tool_calls = made.map(([name, given], index) => ({
    index,
    id: `call-${name}-${index}`,
    type: 'function',
    function: { name, arguments: given },
  }))
  open(reply).end(chunk({ role: 'assistant', tool_calls }) + chunk({}, 'tool_calls') + usage(20, 10) + END)
}

/** The passages a model was given, by their numbers, as far as a message holds any. */
export function passagesIn({ messages }: Sent): { n: number; title: string; text: string }[] {
  return messages.flatMap(({ content }) =>
    (content ?? '')
      .split('\n')
      .filter(line => line.startsWith('{"n":'))
      .map(line => JSON.parse(line) as { n: number; title: string; text: string }),
  )
}
