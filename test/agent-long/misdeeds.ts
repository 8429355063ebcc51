// What a model server can do wrong, one script each: silence, noise, cuts, floods, wrong shapes, refusals, and calls without sense or end.
import type { ServerResponse } from 'node:http'
import { setInterval } from 'node:timers/promises'
import { calls, chunk, END, open, type Sent, says, usage } from '../agent/upstream.ts'

const FINE = 'The north well was sealed on 3 May 1921 [1].'
const MEGABYTE = 'x'.repeat(1024 * 1024)

/** Writes a part again and again until the other end has gone. */
async function forever(reply: ServerResponse, part: () => string, everyMs = 1) {
  for await (const _ of setInterval(everyMs)) {
    if (reply.destroyed || reply.writableEnded) return
    if (!reply.writableNeedDrain) reply.write(part())
  }
}

/** A refusal; `retryAfter` as it stands in the header. */
function refuses(reply: ServerResponse, status: number, retryAfter?: string) {
  reply.writeHead(status, { 'content-type': 'application/json', ...(retryAfter !== undefined && { 'retry-after': retryAfter }) })
  reply.end(JSON.stringify({ error: { message: 'no', type: 'x', code: 'y' } }))
}

/** A chunk that says whatever is given, well formed or not. */
const raw = (reply: ServerResponse, ...data: unknown[]) =>
  open(reply).end(`${data.map(one => `data: ${typeof one === 'string' ? one : JSON.stringify(one)}\n\n`).join('')}${END}`)

const call = (name: unknown, given: unknown, id: unknown = 'c') =>
  chunk({ tool_calls: [{ index: 0, id, type: 'function', function: { name, arguments: given } }] }) +
  chunk({}, 'tool_calls') +
  END

let count = 0
const next = () => (count += 1)

type Misdeed = (reply: ServerResponse, turn: { sent: Sent; attempt: number }) => unknown

/** Name → what is done. `attempt` counts the requests of one question, from 1 on. */
export const misdeeds: Record<string, Misdeed> = {
  'says nothing at all': () => undefined,
  'sends its head and nothing more': reply => open(reply).flushHeaders(),
  'stops talking in the middle': reply => open(reply).write(chunk({ content: 'The north' })),
  'stops talking after a claim': reply => open(reply).write(chunk({ content: `${FINE} And ` })),
  'sends signs of life for ever': reply => forever(open(reply), () => ': ping\n\n'),
  'sends empty words for ever': reply => forever(open(reply), () => chunk({ content: '' })),
  'talks for ever': reply => forever(open(reply), () => chunk({ content: 'and so on '.repeat(50) })),
  'drips for ever': reply => forever(open(reply), () => chunk({ content: 'a' }), 50),
  'drops the connection at once': reply => reply.socket?.destroy(),
  'drops the connection after its head': reply => open(reply).write(chunk({ content: 'The' }), () => reply.socket?.destroy()),
  'drops the connection within a word': reply =>
    open(reply).write(chunk({ content: 'The' }).slice(0, 40), () => reply.socket?.destroy()),
  'ends without saying why': reply => open(reply).end(chunk({ content: 'The north' })),
  'ends before it began': reply => open(reply).end(),
  'is done at once': reply => open(reply).end(END),
  'finishes with nothing said': reply => open(reply).end(chunk({}, 'stop') + END),
  'answers with a page': reply => reply.writeHead(200, { 'content-type': 'text/html' }).end('<html><body>Welcome</body></html>'),
  'answers whole when asked for a stream': reply =>
    reply
      .writeHead(200, { 'content-type': 'application/json' })
      .end(JSON.stringify({ choices: [{ message: { role: 'assistant', content: FINE } }] })),
  'sends bytes of nothing': reply => open(reply).end(Buffer.from(Array.from({ length: 5000 }, (_, at) => (at * 7919) % 256))),
  'sends half characters': reply =>
    open(reply).end(
      Buffer.concat([
        Buffer.from('data: {"choices":[{"delta":{"content":"'),
        Buffer.from([0xc3, 0x28, 0xff]),
        Buffer.from('"}}]}\n\n'),
      ]),
    ),
  'says it is packed and is not': reply =>
    reply.writeHead(200, { 'content-type': 'text/event-stream', 'content-encoding': 'gzip' }).end(chunk({ content: FINE })),
  'sends what is no JSON': reply => raw(reply, 'hello', '{"choices":', "{'a':1}"),
  'sends a list': reply => raw(reply, [1, 2, 3]),
  'has no choices': reply => raw(reply, { id: 'c' }, { choices: [] }, { choices: [] }),
  'has choices that are none': reply => raw(reply, { choices: null }, { choices: 'x' }, { choices: [null] }),
  'has words that are none': reply =>
    raw(reply, { choices: [{ index: 0, delta: null }] }, { choices: [{ index: 0, delta: { content: 7 } }] }),
  'fails in the middle': reply =>
    raw(reply, { choices: [{ index: 0, delta: { content: 'The' } }] }, { error: { message: 'boom', code: 500 } }),
  'says ten megabytes in one word': reply => open(reply).end(chunk({ content: MEGABYTE.repeat(10) }) + chunk({}, 'stop') + END),
  'sends ten megabytes in one line': reply => open(reply).end(`data: ${MEGABYTE.repeat(10)}`),
  'calls a tool with ten megabytes': reply => open(reply).end(call('search_documents', `{"query":"${MEGABYTE.repeat(10)}"}`)),
  'calls a tool with a hundred kilobytes of brackets': reply => open(reply).end(call('search_documents', '['.repeat(100_000))),
  'calls a tool with what is no JSON': reply => calls(reply, ['search_documents', '{query: north well']),
  'calls a tool with a list': reply => calls(reply, ['search_documents', '["north well"]']),
  'calls a tool with fields that are not known': reply =>
    calls(reply, ['search_documents', '{"query":"north well","as":"admin"}']),
  'calls a tool without a name': reply => open(reply).end(call(null, '{}')),
  'calls a tool that has the name of none': reply => calls(reply, ['__proto__', '{}'], ['constructor', '{}']),
  'calls a tool without an id': reply => open(reply).end(call('current_time', '{}', null)),
  'calls a tool there is not, for ever': reply => calls(reply, ['shell', `{"command":"${next()}"}`]),
  'makes the same call for ever': reply => calls(reply, ['search_documents', '{"query":"north well"}']),
  'makes another call for ever': reply => calls(reply, ['search_documents', `{"query":"north well ${next()}"}`]),
  'makes a hundred calls at once': reply =>
    calls(reply, ...Array.from({ length: 100 }, (_, at): [string, string] => ['search_documents', `{"query":"well ${at}"}`])),
  'has no room and does not say when': reply => refuses(reply, 429),
  'has no room for an hour': reply => refuses(reply, 429, '3600'),
  'has no room until a time that is none': reply => refuses(reply, 429, 'soon'),
  'has no room once': (reply, { attempt }) => (attempt === 1 ? refuses(reply, 429, '0') : says(reply, FINE)),
  'breaks once': (reply, { attempt }) => (attempt === 1 ? refuses(reply, 500) : says(reply, FINE)),
  'breaks always': reply => refuses(reply, 500),
  'is away': reply => refuses(reply, 503, '0'),
  'does not know the key': reply => refuses(reply, 401),
  'does not know the model': reply => reply.writeHead(404, { 'content-type': 'text/html' }).end('<h1>Not found</h1>'),
  'sends one elsewhere': reply => reply.writeHead(302, { location: 'http://127.0.0.1:1/' }).end(),
  'counts tokens in words': reply => open(reply).end(chunk({ content: FINE }) + chunk({}, 'stop') + usage('many', null) + END),
  'counts more tokens than there can be': reply =>
    open(reply).end(chunk({ content: FINE }) + chunk({}, 'stop') + usage(1e15, 1e15) + END),
  'counts tokens below nothing': reply => open(reply).end(chunk({ content: FINE }) + chunk({}, 'stop') + usage(-5, -5) + END),
  'ends for a reason nobody knows': reply => open(reply).end(chunk({ content: FINE }) + chunk({}, 'banana') + END),
  'goes on after its end': reply =>
    open(reply).end(chunk({ content: FINE }) + chunk({}, 'stop') + END + chunk({ content: ' More [1].' }) + END),
}
