// Streams arrive as they are sent and end when their reader leaves; bytes that have a meaning of their own are left as they are.
import { once } from 'node:events'
import { get, type IncomingMessage } from 'node:http'
import { gunzipSync } from 'node:zlib'
import t from 'tap'
import { startEdge } from './edge.ts'

const edge = await startEdge(t)
const long = JSON.stringify({ text: 'the same words again '.repeat(500) })

t.test('an event arrives when it is sent, and a reader who leaves is felt by the service', async t => {
  for (const [service, path] of [
    ['agent', '/agent/query'],
    ['agent', '/agent/runs/r1/events'],
    ['agent', '/v1/chat/completions'],
    ['agent', '/mcp'],
    ['rag', '/rag/jobs/j1/events'],
  ] as const) {
    let left: Promise<unknown> | undefined
    edge[service].answer = (_request, response) => {
      left = once(response, 'close')
      response.writeHead(200, { 'content-type': 'text/event-stream' })
      response.write('id: 1\ndata: {}\n\n')
    }
    const headers = { authorization: `Bearer ${await edge.token()}`, accept: 'text/event-stream', 'accept-encoding': 'gzip' }
    const request = get({ host: '127.0.0.1', port: edge.port, path, headers })
    const [response] = (await once(request, 'response')) as [IncomingMessage]
    const [first] = (await once(response, 'data')) as [Buffer]
    t.equal(first.toString(), 'id: 1\ndata: {}\n\n', path)
    t.equal(response.headers['content-encoding'], undefined, path)
    response.on('error', () => undefined)
    request.destroy()
    await left
    t.pass(`${path}: felt`)
    edge[service].answer = undefined
  }
})

/** What comes back when rag answers with this. */
async function answered(path: string, status: number, headers: Record<string, string>, sent: Record<string, string> = {}) {
  edge.rag.answer = (_request, response) => response.writeHead(status, headers).end(long)
  return edge.askAs('user', path, { headers: { 'accept-encoding': 'gzip', ...sent } })
}

t.test('a text answer is compressed when that is asked for', async t => {
  for (const type of [
    'application/json; charset=utf-8',
    'application/json',
    'text/html',
    'text/plain; charset=utf-8',
    'text/css',
  ]) {
    const reply = await answered('/rag/documents', 200, { 'content-type': type })
    t.equal(reply.headers['content-encoding'], 'gzip', type)
    t.match(reply.headers.vary, /accept-encoding/i)
    t.equal(gunzipSync(reply.bytes).toString(), long)
  }
  const plain = await answered('/rag/documents', 200, { 'content-type': 'application/json' }, { 'accept-encoding': 'identity' })
  t.equal(plain.headers['content-encoding'], undefined)
  t.equal(plain.text, long)
})

t.test('a part, a version with an ETag, a text, an original and a picture come as they are', async t => {
  const json = { 'content-type': 'application/json' }
  for (const [name, path, status, headers] of [
    ['part', '/rag/documents/d1', 206, { ...json, 'content-range': 'bytes 0-9/10' }],
    ['ETag', '/rag/documents/d1', 200, { ...json, etag: '"v1"' }],
    [
      'text',
      '/rag/documents/d1/text',
      200,
      { 'content-type': 'text/plain; charset=utf-8', etag: '"v1"', 'content-length': String(long.length) },
    ],
    ['text without an ETag', '/rag/documents/d1/text', 200, { 'content-type': 'text/plain' }],
    ['content', '/api/rag/documents/d1/content', 200, { 'content-type': 'text/html' }],
    ['picture', '/rag/documents/d1', 200, { 'content-type': 'image/png' }],
  ] as const) {
    const reply = await answered(path, status, headers)
    t.strictSame([reply.status, reply.text], [status, long], name)
    t.match(reply.headers, headers, name)
    t.equal(reply.headers['content-encoding'], undefined, name)
  }
})
