// How long the edge waits: for a client that sends or reads slowly, and for a service that does not answer. Nothing here is shortened.
import type { ServerResponse } from 'node:http'
import { connect } from 'node:net'
import { setTimeout as pause } from 'node:timers/promises'
import t from 'tap'
import { startEdge } from './edge.ts'
import { isFailure } from './refusals.ts'

const edge = await startEdge(t)
const DRIP_EVERY_MS = 250
/** Longest silence of a stream of ours. */
const HEARTBEAT_MS_MAX = 10_000
/** More than the edge and the system may hold for a client who does not read, and less than the system would if it were let. */
const MUCH_BYTES = 512 * 1024

/** Sends a head, then a drop at a time until the edge has had enough; gives what it said. */
async function drip(head: string, drop: string): Promise<string> {
  const socket = connect(edge.port, '127.0.0.1').setEncoding('latin1')
  let said = ''
  socket.on('data', chunk => {
    said += chunk
  })
  socket.on('error', () => undefined)
  socket.write(head)
  const dripping = setInterval(() => socket.writable && socket.write(drop), DRIP_EVERY_MS)
  // A reset is an end like another here, so not `once`, which throws on it.
  await new Promise(resolve => socket.once('close', resolve))
  clearInterval(dripping)
  return said
}

/** What the services do: wait for a whole body, write without end, or never answer. */
const endless = Promise.withResolvers<void>()
/** A stream that says something, and again after as long as a heartbeat may take and a little more. */
const slowly = (response: ServerResponse) => {
  response.writeHead(200, { 'content-type': 'text/event-stream' })
  response.write(': 1\n\n')
  setTimeout(() => response.end(': 2\n\n'), HEARTBEAT_MS_MAX * 1.2)
}
edge.auth.answer = (request, response) => {
  if (request.url === '/login') request.once('end', () => response.end())
  if (request.url === '/openapi.json') response.end(Buffer.alloc(MUCH_BYTES))
}
edge.rag.answer = ({ url }, response) => {
  if (url?.endsWith('/events')) slowly(response)
}
edge.agent.answer = ({ url }, response) => {
  if (url === '/gateway/health') return
  if (url !== '/openapi.json') return slowly(response)
  response.once('close', endless.resolve)
  const fill = () => {
    while (response.write(Buffer.alloc(64 * 1024)));
    response.once('drain', fill)
  }
  fill()
}

// Side by side, since each takes as long as it would in earnest.
t.jobs = 6
const aside = { buffered: true }

t.test('headers that come a drop at a time are cut off', aside, async t => {
  t.match(await drip('GET /auth/login HTTP/1.1\r\nHost: a\r\n', 'a: b\r\n'), /^HTTP\/1\.1 408 [\s\S]*"code":"timeout"/)
})

t.test('a body that comes a drop at a time is cut off', aside, async t => {
  const said = await drip('POST /auth/login HTTP/1.1\r\nHost: a\r\nContent-Length: 10000\r\n\r\n', 'a')
  t.match(said, /^HTTP\/1\.1 408 [\s\S]*"code":"timeout"/)
})

t.test('a reader that does not read is cut off, and the service is told', aside, async t => {
  const socket = connect(edge.port, '127.0.0.1').pause()
  t.teardown(() => socket.destroy())
  socket.write('GET /agent/openapi.json HTTP/1.1\r\nHost: a\r\n\r\n')
  await endless.promise
  t.pass()
})

t.test('a reader that does not read is felt before half a mebibyte is gone, not once the system is full', aside, async t => {
  const socket = connect(edge.port, '127.0.0.1').pause()
  t.teardown(() => socket.destroy())
  socket.write('GET /auth/openapi.json HTTP/1.1\r\nHost: a\r\n\r\n')
  const line = /^.*"path":"\/openapi\.json".*"upstream":"auth".*$/m
  while (!line.test(edge.log())) await pause(DRIP_EVERY_MS)
  const { reason, bytes_out } = JSON.parse(line.exec(edge.log())?.[0] ?? '')
  t.equal(reason, 'max_duration_timeout')
  t.ok(bytes_out < MUCH_BYTES, `${bytes_out} bytes`)
})

t.test('a service that does not answer is 504', aside, async t => {
  isFailure(t, await edge.ask('/rag/openapi.json'), 'deadline')
})

t.test('a /health that does not come is 503 in the shape of /health, within the time of a probe', aside, async t => {
  const { status, json } = await edge.ask('/health')
  t.equal(status, 503)
  t.match(json, { status: 'degraded', services: { auth: 'down' } })
})

t.test('a stream that is silent for no longer than between two heartbeats goes on', aside, async t => {
  const paths = ['/agent/query', '/agent/runs/r/events', '/v1/chat/completions', '/mcp', '/rag/jobs/j/events']
  await Promise.all(
    paths.map(async path => {
      const { status, text } = await edge.askAs('user', path)
      t.strictSame([status, text], [200, ': 1\n\n: 2\n\n'], path)
    }),
  )
})
