// Every refusal the edge can utter is in the failure body, with a code and a sentence of the closed list.
import { connect } from 'node:net'
import t from 'tap'
import { failures } from '../../src/contracts/failure.ts'
import { version } from '../../src/platform/health.ts'
import { startEdge } from './edge.ts'
import type { Reply } from './envoy.ts'
import { isFailure } from './refusals.ts'

const edge = await startEdge(t)

interface Mapper {
  body_format_override: { content_type: string; json_format: Record<string, unknown> }
}

/** Sends bytes that no client would, and reads one refusal. */
async function sendRaw(text: string): Promise<Reply> {
  const socket = connect(edge.port, '127.0.0.1').setEncoding('latin1')
  socket.write(text, 'latin1')
  let received = ''
  for await (const chunk of socket) {
    received += chunk
    const [head = '', body = ''] = received.split('\r\n\r\n')
    const [line = '', ...lines] = head.split('\r\n')
    const headers = Object.fromEntries(lines.map(header => header.split(': ', 2) as [string, string]))
    if (body.length < Number(headers['content-length'] ?? Infinity)) continue
    return { status: Number(line.split(' ')[1]), headers, bytes: Buffer.from(body), text: body, json: JSON.parse(body) }
  }
  throw new Error(`The connection ended after ${received}`)
}

t.test('every body in the configuration is worded as the closed list words it', async t => {
  const { json } = await edge.admin('/config_dump?resource=static_listeners')
  const found = JSON.stringify(json).match(/"local_reply_config":\{"mappers":(\[.*?\]),"body_format":(\{.*?\}\})/)
  t.not(found, null)
  const { mappers, body_format } = JSON.parse(`{"mappers":${found?.[1]},"body_format":${found?.[2]}`.replace(/\}*$/, '}}')) as {
    mappers: Mapper[]
    body_format: Mapper['body_format_override']
  }
  const codes = new Set<string>()
  for (const format of [...mappers.map(mapper => mapper.body_format_override), body_format]) {
    const { code, ...rest } = format.json_format
    t.equal(format.content_type, 'application/json; charset=utf-8')
    if (code === undefined) {
      t.match(rest, { service: 'gateway', status: 'degraded', version }, 'the health row')
      continue
    }
    const [, sentence] = failures[code as keyof typeof failures]
    t.strictSame(rest, { message: sentence, error: sentence, request_id: '%REQ(X-REQUEST-ID)%' }, String(code))
    codes.add(String(code))
  }
  const spoken = `bad_upstream deadline forbidden headers_too_large internal invalid_request not_found rate_limited timeout token_expired
    too_large unauthenticated unavailable`
  t.strictSame([...codes].toSorted(), spoken.split(/\s+/))
})

t.test('what cannot be parsed, spoken or carried is refused in the failure body', async t => {
  const head = 'Host: a\r\nConnection: close\r\n'
  const login = `GET /auth/login HTTP/1.1\r\n${head}`
  const wrong: Record<string, string> = {
    'not HTTP': 'hello\r\n\r\n',
    'HTTP/1.0': 'GET /auth/login HTTP/1.0\r\n\r\n',
    'no host': 'GET /auth/login HTTP/1.1\r\n\r\n',
    'an empty host': 'GET /auth/login HTTP/1.1\r\nHost:\r\nConnection: close\r\n\r\n',
    'two hosts': `GET /auth/login HTTP/1.1\r\nHost: b\r\n${head}\r\n`,
    'a host with a path': 'GET /auth/login HTTP/1.1\r\nHost: a/b\r\nConnection: close\r\n\r\n',
    'both length and chunks': `POST /auth/login HTTP/1.1\r\n${head}Content-Length: 3\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n`,
    'two lengths': `POST /auth/login HTTP/1.1\r\n${head}Content-Length: 3\r\nContent-Length: 4\r\n\r\nabcd`,
    'a negative length': `POST /auth/login HTTP/1.1\r\n${head}Content-Length: -1\r\n\r\n`,
    'a length past any number': `POST /auth/login HTTP/1.1\r\n${head}Content-Length: 99999999999999999999\r\n\r\n`,
    'a coding that is not spoken': `POST /auth/login HTTP/1.1\r\n${head}Transfer-Encoding: gzip\r\n\r\n`,
    'NUL in a header': `${login}A: b\0c\r\n\r\n`,
    'space before the colon': `${login}A : b\r\n\r\n`,
    WebSocket: `GET /auth/login HTTP/1.1\r\nHost: a\r\nConnection: upgrade\r\nUpgrade: websocket\r\n\r\n`,
    'a fragment': `GET /auth/login#x HTTP/1.1\r\n${head}\r\n`,
    'an encoded slash': `GET /auth%2flogin HTTP/1.1\r\n${head}\r\n`,
    'an encoded NUL': `GET /auth/login%00 HTTP/1.1\r\n${head}\r\n`,
  }
  edge.heard()
  for (const [name, text] of Object.entries(wrong)) isFailure(t, await sendRaw(text), 'invalid_request', name)
  isFailure(t, await sendRaw(`${login}A: ${'b'.repeat(12 * 1024)}\r\n\r\n`), 'headers_too_large', 'one large header')
  isFailure(t, await sendRaw(`${login}${'A: b\r\n'.repeat(70)}\r\n`), 'headers_too_large', 'many headers')
  isFailure(t, await sendRaw(`GET /${'a'.repeat(12 * 1024)} HTTP/1.1\r\n${head}\r\n`), 'headers_too_large', 'a long path')
  t.strictSame(edge.heard(), [])
})

t.test('an upstream that answers badly or not at all is said to, without a word of what it said', async t => {
  edge.auth.answer = request => request.socket.end('garbage\r\n\r\n')
  isFailure(t, await edge.ask('/auth/login'), 'bad_upstream')
  edge.auth.answer = request => request.socket.destroy()
  const cut = await edge.ask('/auth/login')
  isFailure(t, cut, 'unavailable')
  t.equal(cut.headers['retry-after'], '1')
  edge.auth.answer = undefined
  t.equal((await edge.ask('/auth/login')).status, 200)
})
