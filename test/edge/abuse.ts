// Requests made to confuse: two lengths, bad chunks, a second Host, NUL, oversized heads. Each is followed by one that must be answered as
// itself; how many there are is for the test to say.
import { connect } from 'node:net'
import type { Test } from 'tap'
import { startEdge } from './edge.ts'
import { each } from './twists.ts'

const AT_ONCE = 32

/** What an attack tries to slip past the edge behind the request it pretends to send. */
const smuggled = 'GET /auth/health?smuggled HTTP/1.1\r\nHost: a\r\n\r\n'
const post = 'POST /auth/login HTTP/1.1\r\nHost: a\r\n'
const length = smuggled.length
const hex = length.toString(16)
const abuses = [
  `${post}Content-Length: ${length}\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n${smuggled}`,
  `${post}Transfer-Encoding: chunked\r\nContent-Length: 0\r\n\r\n${hex}\r\n${smuggled}\r\n0\r\n\r\n`,
  `${post}Transfer-Encoding : chunked\r\nContent-Length: ${length}\r\n\r\n${smuggled}`,
  `${post}Transfer-Encoding: xchunked\r\n\r\n0\r\n\r\n${smuggled}`,
  `${post}Transfer-Encoding: chunked\r\nTransfer-Encoding: identity\r\n\r\n0\r\n\r\n${smuggled}`,
  `${post}Transfer-Encoding: chunked, identity\r\n\r\n0\r\n\r\n${smuggled}`,
  `${post}Transfer-Encoding:\x0bchunked\r\nContent-Length: ${length}\r\n\r\n${smuggled}`,
  `${post}Transfer-Encoding: chunked\r\n\r\n${hex};ext="\r\n${smuggled}\r\n0\r\n\r\n`,
  `${post}Transfer-Encoding: chunked\r\n\r\n${hex}\n${smuggled}\n0\n\n`,
  `${post}Transfer-Encoding: chunked\r\n\r\nfffffffffffffffff\r\n${smuggled}\r\n0\r\n\r\n`,
  `${post}Transfer-Encoding: chunked\r\n\r\n-1\r\n${smuggled}\r\n0\r\n\r\n`,
  `${post}Transfer-Encoding: chunked\r\n\r\n0\r\nContent-Length: ${length}\r\n\r\n${smuggled}`,
  `${post}Content-Length: ${length}\r\nContent-Length: 0\r\n\r\n${smuggled}`,
  `${post}Content-Length: 0, ${length}\r\n\r\n${smuggled}`,
  `${post}Content-Length: +${length}\r\n\r\n${smuggled}`,
  `${post}Content-Length: 0x${hex}\r\n\r\n${smuggled}`,
  `${post}Content-Length: ${length} \r\n \r\n\r\n${smuggled}`,
  `GET /auth/login HTTP/1.1\r\nHost: a\r\nHost: b\r\nContent-Length: ${length}\r\n\r\n${smuggled}`,
  `GET /auth/login HTTP/1.1\r\nHost: a\r\nA: b\r\n\tc\r\nContent-Length: ${length}\r\n\r\n${smuggled}`,
  `GET /auth/login HTTP/1.1\r\nHost: a\r\nA: \0\r\n\r\n${smuggled}`,
  `GET /auth/login HTTP/1.1\r\nHost: a\r\nA: ${'b'.repeat(100_000)}\r\n\r\n${smuggled}`,
  `GET /auth/login HTTP/9.9\r\nHost: a\r\n\r\n${smuggled}`,
  `GET /auth/login\r\n\r\n${smuggled}`,
  `GET /auth/login HTTP/1.1\r\n Host: a\r\n\r\n${smuggled}`,
  `GET\t/auth/login\tHTTP/1.1\r\nHost: a\r\n\r\n${smuggled}`,
  `GET /auth/login HTTP/1.1\r\nHost: a\r\nConnection: content-length, authorization, x-forwarded-for\r\nContent-Length: ${length}\r\n\r\n${smuggled}`,
  `CONNECT a:80 HTTP/1.1\r\nHost: a\r\n\r\n${smuggled}`,
  `\r\n\r\n\0\xff\xfe${smuggled}`,
]

/** Sends `count` of them; none may end the edge, smuggle the one it hides, or change the answer to the next. */
export async function abuse(t: Test, count: number) {
  const edge = await startEdge(t)
  const confused: string[] = []
  await each(
    Array.from({ length: count }, (_, i) => i),
    AT_ONCE,
    async i => {
      const socket = connect(edge.port, '127.0.0.1')
      socket.on('error', () => undefined).resume()
      socket.end(abuses[i % abuses.length] ?? '', 'latin1')
      await new Promise(resolve => socket.once('data', resolve).once('close', resolve))
      socket.destroy()
      const marker = await edge.ask(`/auth/health?marker=${i}`)
      if (marker.json.url !== `/health?marker=${i}`) confused.push(`${i % abuses.length}: ${marker.text}`)
    },
  )
  t.strictSame(confused, [], `${count} requests, each followed by one that was answered as itself`)
  const strange = edge.heard().filter(({ url }) => !/^\/login$|^\/health\?marker=\d+$/.test(url))
  t.strictSame(strange, [], 'nothing was smuggled')
  t.match((await edge.admin('/stats?filter=server.uptime')).text, /\d/, 'the edge lives')
}
