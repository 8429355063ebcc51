// A request to another service and the whole of its reply, over sockets that are kept. An answer makes a few of these one after the other,
// and fetch, with its streams, takes more of that time than the services do.
import { Pool } from 'undici'

/** Largest reply, in bytes; a hundred passages take a few hundred thousand. */
const REPLY_BYTES_MAX = 32 * 1024 * 1024
/** Requests under way at once; those beyond wait for their turn. */
const SOCKETS_MAX = 256

export interface Sent {
  method?: 'GET' | 'POST'
  headers?: Record<string, string>
  body?: string
  signal: AbortSignal
}

export interface Received {
  status: number
  /** Names are lower case. */
  headers: Record<string, string | undefined>
  body: Buffer
}

/** Opens the way to the service at `url`. What is asked of it may be asked twice: it must change nothing there. */
export function openWire(url: string): (path: string, sent: Sent) => Promise<Received> {
  const pool = new Pool(new URL(url).origin, { connections: SOCKETS_MAX, maxResponseSize: REPLY_BYTES_MAX })

  async function once(path: string, { method = 'GET', ...sent }: Sent): Promise<Received> {
    const { statusCode: status, headers, body } = await pool.request({ path, method, ...sent })
    return { status, headers: headers as Received['headers'], body: Buffer.from(await body.arrayBuffer()) }
  }

  return (path, sent) =>
    once(path, sent).catch(error => {
      // The service may have closed a kept socket just when it was taken; then it has not seen the request.
      if (!CLOSED.has(error.code) || sent.signal.aborted) throw error
      return once(path, sent)
    })
}

const CLOSED = new Set(['ECONNRESET', 'EPIPE', 'UND_ERR_SOCKET'])
