// A request to another service and the whole of its reply, over sockets that are kept. An answer makes a few of these one after the other,
// and fetch, with its streams, takes more of that time than the services do.
import { Agent, type IncomingHttpHeaders, request } from 'node:http'
import { Agent as SecureAgent, request as secureRequest } from 'node:https'

/** Largest reply, in bytes; a hundred passages take a few hundred thousand. */
const REPLY_BYTES_MAX = 32 * 1024 * 1024

export interface Sent {
  method?: 'GET' | 'POST'
  headers?: Record<string, string>
  body?: string
  signal: AbortSignal
}

export interface Received {
  status: number
  headers: IncomingHttpHeaders
  body: Buffer
}

/** Opens the way to the service at `url`. What is asked of it may be asked twice: it must change nothing there. */
export function openWire(url: string): (path: string, sent: Sent) => Promise<Received> {
  const isSecure = new URL(url).protocol === 'https:'
  const ask = isSecure ? secureRequest : request
  const agent = isSecure ? new SecureAgent({ keepAlive: true }) : new Agent({ keepAlive: true })

  return function exchange(path, sent) {
    const { body, ...options } = sent
    return new Promise((resolve, reject) => {
      const asked = ask(new URL(path, url), { agent, ...options }, reply => {
        const parts: Buffer[] = []
        let left = REPLY_BYTES_MAX
        reply.on('data', (part: Buffer) => {
          left -= part.length
          if (left < 0) reply.destroy(new Error('The reply is longer than is taken'))
          else parts.push(part)
        })
        reply.on('end', () => resolve({ status: reply.statusCode ?? 0, headers: reply.headers, body: Buffer.concat(parts) }))
        reply.on('error', reject)
      })
      asked.on('error', (error: NodeJS.ErrnoException) => {
        // The service closed a kept socket just when it was taken; it has not seen the request.
        const wasStale = asked.reusedSocket && error.code === 'ECONNRESET'
        if (wasStale && !sent.signal.aborted) resolve(exchange(path, sent))
        else reject(error)
      })
      asked.end(body)
    })
  }
}
