// An upstream as the edge sees one: it notes each request exactly as it arrived and answers as the test says.
import { once } from 'node:events'
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http'
import type { AddressInfo } from 'node:net'
import type { JWK } from 'jose'

/** A request as it arrived. Header names are in lower case; a header sent twice is there twice. */
export interface Noted {
  method: string
  url: string
  headers: [name: string, value: string][]
  body: Buffer
}

export interface Upstream {
  port: number
  /** What arrived, Envoy's own probes and key readings left out; a test may empty it. */
  noted: Noted[]
  /** Replaces the usual answer (200 and the path as JSON). Called once the request's head is there; the body is noted at its end. */
  answer?: (request: IncomingMessage, response: ServerResponse) => void
  /** What the edge's probes are told. */
  ready: boolean
  /** What the edge's key readings are given. */
  keys: JWK[]
  /** How often the keys were read. */
  keysRead: number
  /** Goes away, connections cut; `start` brings it back on the same port. */
  stop(): Promise<void>
  /** Goes away once the requests under way are answered. */
  leave(): Promise<void>
  start(): Promise<void>
}

/** Starts an upstream on a free loopback port. */
export async function startUpstream(): Promise<Upstream> {
  const server = createServer({ keepAliveTimeout: 75_000 }, async (request, response) => {
    const { method = '', url = '', rawHeaders } = request
    if (request.headers['user-agent'] === 'Envoy/HC') return response.writeHead(upstream.ready ? 200 : 503).end()
    // Envoy's own requests say so; the edge takes that header off everyone else's.
    if (url === '/.well-known/jwks.json' && request.headers['x-envoy-internal']) {
      upstream.keysRead++
      return json(response, { keys: upstream.keys })
    }
    const headers: Noted['headers'] = []
    for (let i = 0; i < rawHeaders.length; i += 2) headers.push([String(rawHeaders[i]).toLowerCase(), String(rawHeaders[i + 1])])
    const noted = { method, url, headers, body: Buffer.alloc(0) }
    upstream.noted.push(noted)
    upstream.answer?.(request, response)
    const chunks: Buffer[] = []
    request.on('data', chunk => chunks.push(chunk)).on('error', () => undefined)
    request.on('end', () => {
      noted.body = Buffer.concat(chunks)
      if (!upstream.answer) json(response, { url })
    })
  })
  const listen = async (port: number) => {
    await once(server.listen(port, '127.0.0.1'), 'listening')
    return (server.address() as AddressInfo).port
  }
  const upstream: Upstream = {
    port: 0,
    noted: [],
    ready: true,
    keys: [],
    keysRead: 0,
    async stop() {
      const left = upstream.leave()
      server.closeAllConnections()
      await left
    },
    async leave() {
      if (server.listening) await once(server.close(), 'close')
    },
    start: async () => {
      await listen(upstream.port)
    },
  }
  upstream.port = await listen(0)
  return upstream
}

function json(response: ServerResponse, body: unknown) {
  response.writeHead(200, { 'content-type': 'application/json' }).end(JSON.stringify(body))
}
