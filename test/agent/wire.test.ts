// Exchanges over kept sockets: one that has just been closed costs nothing, and nothing is waited for or kept without end.
import { once } from 'node:events'
import { createServer, type RequestListener } from 'node:http'
import type { AddressInfo } from 'node:net'
import t, { type Test } from 'tap'
import { openEvidence } from '../../src/agent/evidence.ts'
import { openWire } from '../../src/agent/wire.ts'

async function served(t: Test, answer: RequestListener) {
  let sockets = 0
  const server = createServer(answer).on('connection', () => {
    sockets += 1
  })
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  t.teardown(() => {
    server.closeAllConnections()
    server.close()
  })
  const url = `http://127.0.0.1:${(server.address() as AddressInfo).port}`
  return { url, exchange: openWire(url), sockets: () => sockets }
}
const sent = { signal: new AbortController().signal }

t.test('a reply comes whole, and the next ones over the same sockets', async t => {
  const { exchange, sockets } = await served(t, async (request, reply) => {
    const parts = await Array.fromAsync(request)
    reply.writeHead(206, { etag: '"x"' }).end(`${request.method} ${request.url} ${Buffer.concat(parts)}`)
  })
  t.match(await exchange('/a?b=c', { ...sent, method: 'POST', body: 'é' }), { status: 206, headers: { etag: '"x"' } })
  for (let i = 0; i < 20; i += 1) t.equal(`${(await exchange('/a', { ...sent, method: 'POST', body: 'é' })).body}`, 'POST /a é')
  t.ok(sockets() <= 2, `${sockets()} sockets for one request after the other`)
})

t.test('a kept socket that is closed when it is taken is replaced, a new one that is closed is a failure', async t => {
  let count = 0
  const { exchange, sockets } = await served(t, (request, reply) => {
    count += 1
    if (count > 1 && count !== 3) request.socket.resetAndDestroy()
    else reply.end('well')
  })
  t.match(await exchange('/', sent), { status: 200 })
  t.match(await exchange('/', sent), { status: 200 }, 'asked anew')
  t.equal(sockets(), 2)
  await t.rejects(exchange('/', sent), { code: 'ECONNRESET' })
  t.equal(count, 5, 'twice, and not for ever')
})

t.test('a reply without end is broken off, and so is one nobody waits for', async t => {
  const closed: Promise<unknown>[] = []
  const { exchange } = await served(t, (_, reply) => {
    closed.push(once(reply, 'close'))
    const more = () => {
      while (!reply.destroyed && reply.write(Buffer.alloc(1024 * 1024))) {}
    }
    reply.on('drain', more)
    more()
  })
  await t.rejects(exchange('/', sent), { code: 'UND_ERR_RES_EXCEEDED_MAX_SIZE' })
  const left = new AbortController()
  const waiting = exchange('/', { signal: left.signal })
  left.abort()
  await t.rejects(waiting, { name: 'AbortError' })
  await Promise.all(closed)
})

t.test('what rag says to be wrong with a question is passed on, what goes wrong in it is not', async t => {
  let [status, body] = [400, JSON.stringify({ message: 'You have 51 collections; name at most 50 of them in collection_ids' })]
  const { url } = await served(t, (_, reply) => reply.writeHead(status).end(body))
  const { search } = openEvidence(url)
  const ask = () => search({ authorization: '', address: '127.0.0.1' }, { query: 'q' })
  await t.rejects(ask(), { code: 'invalid_request', message: /^You have 51 collections/ })
  body = 'not JSON'
  await t.rejects(ask(), { code: 'invalid_request', message: 'The request is not valid' })
  ;[status, body] = [500, JSON.stringify({ message: 'of the inside' })]
  await t.rejects(ask(), { code: 'unavailable', message: /^The service is not available/ })
})
