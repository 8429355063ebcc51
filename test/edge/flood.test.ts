// Too many requests from one address, and requests made to confuse: the edge lives, refuses, and lets nothing through it did not read.
import { connect as connectHttp2 } from 'node:http2'
import { connect } from 'node:net'
import t from 'tap'
import { startEdge } from './edge.ts'
import { isFailure } from './refusals.ts'

const edge = await startEdge(t)

/** The guard of envoy.yaml: this many at once, and this many more each second. */
const AT_ONCE = 400
const PER_S = 100
/** An attack is given up, and the test with it, once the edge has let this much through. */
const STREAMS_MAX = 2_000
const HEADER_BYTES_MAX = 4 * 1024 * 1024
/** Envoy idles at about 10 MB here; connections and buffers of the attacks below must not add more than this. */
const HEAP_BYTES_MAX = 128 * 1024 * 1024

const heapBytes = async () => Number((await edge.admin('/stats?filter=server.memory_allocated')).text.split(': ')[1])

t.test('a flood from one address is 429 with when to come back, and no other address feels it', async t => {
  const from = Date.now()
  const replies = await Promise.all(
    // Whatever address each of them says it has.
    Array.from({ length: 1_500 }, (_, i) =>
      edge.ask('/auth/login', { localAddress: '127.0.0.9', headers: { 'x-forwarded-for': `10.0.${i >> 8}.${i & 255}` } }),
    ),
  )
  const seconds = (Date.now() - from) / 1000
  const passed = replies.filter(({ status }) => status === 200).length
  t.ok(passed >= AT_ONCE && passed <= AT_ONCE + PER_S * Math.ceil(seconds + 1), `${passed} passed in ${seconds} s`)
  const refused = replies.filter(({ status }) => status !== 200)
  t.ok(refused.length > 0)
  for (const reply of refused.slice(0, 5)) {
    isFailure(t, reply, 'rate_limited')
    t.match(reply.headers, {
      'retry-after': '1',
      'ratelimit-limit': String(PER_S),
      'ratelimit-remaining': '0',
      'ratelimit-reset': '1',
    })
  }
  t.equal((await edge.ask('/auth/login', { localAddress: '127.0.0.10' })).status, 200)
})

t.test('streams opened and reset at once end their connection, and soon', async t => {
  for (let connection = 0; connection < 5; connection++) {
    const session = connectHttp2(`http://127.0.0.1:${edge.port}`)
    // The edge may end it with an error of the protocol or of the connection; both end in this.
    session.on('error', () => undefined)
    const ended = new Promise<void>(resolve => session.once('close', () => resolve()))
    let opened = 0
    const opening = setInterval(() => {
      for (let i = 0; i < 20 && !session.destroyed && !session.closed && opened < STREAMS_MAX; i++, opened++) {
        const stream = session.request({ ':path': '/auth/login' })
        stream.on('error', () => undefined)
        stream.close(8)
      }
      if (opened >= STREAMS_MAX) session.destroy()
    }, 1)
    await ended
    clearInterval(opening)
    t.ok(opened < STREAMS_MAX, `ended after ${opened} streams`)
  }
  t.match((await edge.admin('/stats?filter=premature_reset')).text, /premature_resets: [1-9]/)
})

t.test('a header block without end ends its connection, and memory stays bounded', async t => {
  const sent = await Promise.all(Array.from({ length: 20 }, endlessHeaders))
  t.ok(
    sent.every(bytes => bytes < HEADER_BYTES_MAX),
    `${Math.max(...sent)} bytes were taken of the longest`,
  )
  t.equal((await edge.ask('/auth/login')).status, 200)
  const bytes = await heapBytes()
  t.ok(bytes < HEAP_BYTES_MAX, `${bytes} bytes`)
})

/** Sends CONTINUATION frames until the connection is ended, and gives how many bytes of them went out. */
async function endlessHeaders(): Promise<number> {
  const frame = (type: number, flags: number, payload: Buffer) => {
    const head = Buffer.alloc(9)
    head.writeUIntBE(payload.length, 0, 3)
    head.writeUInt8(type, 3)
    head.writeUInt8(flags, 4)
    head.writeUInt32BE(type === 4 ? 0 : 1, 5)
    return Buffer.concat([head, payload])
  }
  const socket = connect(edge.port, '127.0.0.1')
  socket.on('error', () => undefined).resume()
  const closed = new Promise<void>(resolve => socket.once('close', () => resolve()))
  // A literal header field, not indexed, `a: bbbb…` (RFC 7541, 6.2.2), again and again.
  const field = Buffer.concat([Buffer.from([0, 1, 97, 127, 0x81, 0x1e]), Buffer.alloc(4000, 'b')])
  socket.write(
    Buffer.concat([
      Buffer.from('PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n'),
      frame(4, 0, Buffer.alloc(0)),
      frame(1, 0, Buffer.from([0x82])),
    ]),
  )
  let bytes = 0
  const sending = setInterval(() => {
    if (bytes >= HEADER_BYTES_MAX) socket.destroy()
    else if (socket.writable && socket.write(frame(9, 0, field))) bytes += field.length
  }, 1)
  await closed
  clearInterval(sending)
  return bytes
}
