// The door with TLS: which versions it speaks, that HTTP/2 is agreed on, and what browsers are told there and only there.
import { once } from 'node:events'
import { readFileSync } from 'node:fs'
import { connect as connectHttp2 } from 'node:http2'
import { request as httpsRequest } from 'node:https'
import { type ConnectionOptions, connect, type SecureVersion } from 'node:tls'
import t from 'tap'
import { startEdge } from './edge.ts'

const edge = await startEdge(t)
const ca = readFileSync(edge.certificate)

/** What a handshake ends in: the version spoken and the protocol agreed on, or the error. */
async function handshake(options: ConnectionOptions) {
  const socket = connect({ port: edge.tlsPort, host: '127.0.0.1', servername: 'localhost', ca, ...options })
  try {
    await once(socket, 'secureConnect')
    return { version: socket.getProtocol(), alpn: socket.alpnProtocol, cipher: socket.getCipher().standardName }
  } catch (error) {
    return { failed: (error as NodeJS.ErrnoException).code }
  } finally {
    socket.destroy()
  }
}

t.test('TLS 1.2 and 1.3 are spoken, nothing older, and nothing without forward secrecy', async t => {
  for (const version of ['TLSv1.2', 'TLSv1.3'] as SecureVersion[])
    t.match(await handshake({ minVersion: version, maxVersion: version }), { version }, version)
  for (const version of ['TLSv1', 'TLSv1.1'] as SecureVersion[]) {
    const said = await handshake({ minVersion: version, maxVersion: version, ciphers: 'DEFAULT@SECLEVEL=0' })
    t.match(said, { failed: 'ERR_SSL_TLSV1_ALERT_PROTOCOL_VERSION' }, version)
  }
  for (const ciphers of ['AES128-GCM-SHA256', 'AES256-SHA', 'ECDHE-ECDSA-AES128-SHA', 'ECDHE-ECDSA-AES256-SHA384']) {
    const said = await handshake({ maxVersion: 'TLSv1.2', ciphers: `${ciphers}:@SECLEVEL=0` })
    t.match(said, { failed: /HANDSHAKE_FAILURE$/ }, ciphers)
  }
})

t.test('a client that does not know the certificate does not go on, and one that speaks no TLS gets nothing', async t => {
  t.match(await handshake({ ca: [] }), { failed: 'DEPTH_ZERO_SELF_SIGNED_CERT' })
  await t.rejects(edge.ask('/auth/login', { port: edge.tlsPort }))
})

t.test('HTTP/2 is chosen where the client knows it, HTTP/1.1 otherwise; both carry the same', async t => {
  t.match(await handshake({ ALPNProtocols: ['h2', 'http/1.1'] }), { alpn: 'h2' })
  t.match(await handshake({ ALPNProtocols: ['http/1.1'] }), { alpn: 'http/1.1' })

  const session = connectHttp2(`https://localhost:${edge.tlsPort}`, { ca })
  t.teardown(() => session.close())
  const authorization = `Bearer ${await edge.token()}`
  edge.heard()
  for (const [path, headers, status] of [
    ['/auth/me?a=b', { authorization }, 200],
    ['/auth/me', {}, 401],
    ['/auth/users', { authorization }, 403],
    ['/nowhere', {}, 404],
  ] as const) {
    const stream = session.request({ ':path': path, ...headers })
    const [reply] = (await once(stream, 'response')) as [Record<string, unknown>]
    stream.resume()
    t.match(reply, { ':status': status, 'strict-transport-security': 'max-age=31536000', 'x-frame-options': 'DENY' }, path)
  }
  t.strictSame(
    edge.heard().map(({ url, headers }) => [url, Object.fromEntries(headers)['x-forwarded-proto']]),
    [['/me?a=b', 'https']],
  )
})

t.test('browsers are told to come back with TLS only where there is TLS', async t => {
  const request = httpsRequest({ port: edge.tlsPort, host: '127.0.0.1', servername: 'localhost', path: '/auth/login', ca }).end()
  const [response] = await once(request, 'response')
  response.resume()
  t.match(response.headers, { 'strict-transport-security': 'max-age=31536000', 'x-content-type-options': 'nosniff' })
  for (const path of ['/auth/login', '/nowhere', '/auth/me'])
    t.notOk('strict-transport-security' in (await edge.ask(path)).headers, path)
})
