// Hostile tokens at the real services and at the edge before them, written to the socket byte for byte, for no client would send them all.
import { connect } from 'node:net'
import t from 'tap'
import { goodTokens } from '../auth/hostile/controls.ts'
import { hostileTokens } from '../auth/hostile/list.ts'
import { personAt } from '../auth/house.ts'
import { startStack } from './stack.ts'

const AT_ONCE = 16

const stack = await startStack(t)
const edge = await stack.edge()
const port = ({ url }: { url: string }) => Number(new URL(url).port)
const doors: [string, number, string][] = [
  ['auth', port(stack.auth), '/me'],
  ['agent', port(stack.agent), '/status'],
  ['rag', port(stack.rag), '/status'],
  ['the edge before auth', edge.port, '/auth/me'],
  ['the edge before agent', edge.port, '/agent/status'],
  ['the edge before rag', edge.port, '/rag/status'],
]
const ada = await personAt(stack.auth.app, 'ada')

/** The reply's status and the code of its body; a connection that is cut without a reply is status 0. */
async function sent(at: number, path: string, authorization: string[]): Promise<{ status: number; code: string }> {
  const socket = connect(at, '127.0.0.1')
  let text = ''
  socket.setEncoding('latin1').on('data', bytes => {
    text += bytes
    if (isWhole(text)) socket.destroy()
  })
  // A head that is much too long is answered before it was read, and the connection reset.
  const closed = new Promise(resolve => socket.on('error', () => socket.destroy()).once('close', resolve))
  const lines = authorization.map(value => `authorization: ${value}\r\n`).join('')
  socket.write(`GET ${path} HTTP/1.1\r\nhost: localhost\r\nconnection: close\r\n${lines}\r\n`)
  await closed
  return { status: Number(/^HTTP\/1\.1 (\d+)/.exec(text)?.[1] ?? 0), code: /"code":"(\w+)"/.exec(text)?.[1] ?? '' }
}

function isWhole(reply: string): boolean {
  const [head = '', body] = reply.split('\r\n\r\n')
  return body !== undefined && body.length >= Number(/^content-length: (\d+)/im.exec(head)?.[1] ?? Number.POSITIVE_INFINITY)
}

async function each<T>(all: Iterable<T>, work: (one: T) => Promise<void>) {
  const left = [...all].values()
  await Promise.all(
    Array.from({ length: AT_ONCE }, async () => {
      for (const one of left) await work(one)
    }),
  )
}

/** Envoy takes an empty header for none and passes on what is left: one token. The services themselves refuse it. */
const FINE_AT_EDGE = 'another form: the header twice, the second one empty'

/** What a refusal may be: one 401 for all, or a head that is too long or is none. */
const refusals = new Set(['401 unauthenticated', '401 token_expired', '431 headers_too_large', '400 invalid_request', '0 '])

for (const [name, at, path] of doors) {
  t.test(`${name}: not one of several hundred hostile tokens is accepted`, async t => {
    const hostile = hostileTokens({ token: ada.token, refresh_token: ada.refresh_token, signing: stack.signing })
    t.ok(hostile.size >= 300, `${hostile.size} tokens`)
    if (at === edge.port) {
      t.match(await sent(at, path, hostile.get(FINE_AT_EDGE) ?? []), { status: 200 })
      hostile.delete(FINE_AT_EDGE)
    }
    let unauthenticated = 0
    await each(hostile, async ([what, values]) => {
      const { status, code } = await sent(at, path, values)
      if (!refusals.has(`${status} ${code}`)) t.fail(`${what}: ${status} ${code}`)
      if (status === 401) unauthenticated += 1
    })
    t.ok(unauthenticated > 290, `${unauthenticated} of them by 401`)
  })

  t.test(`${name}: tokens that differ only in what may differ are accepted`, async t => {
    const own = await Promise.all(Array.from({ length: 10 }, (_, i) => personAt(stack.auth.app, `control${i}`)))
    const good = goodTokens(
      { token: ada.token, signing: stack.signing },
      own.map(({ token }) => token),
    )
    t.ok(good.length >= 20, `${good.length} tokens`)
    for (const value of good) t.equal((await sent(at, path, [value])).status, 200, value)
  })
}
