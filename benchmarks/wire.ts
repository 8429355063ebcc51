// One request over and over on kept connections, each sent when the answer to the last has come. It reads no more of HTTP than it must,
// so that of a machine's two cores as much as possible is left to what is measured: a full client took half of them.
import { connect } from 'node:net'

export interface Target {
  port: number
  path: string
  headers?: Record<string, string>
}

export interface Run {
  perSecond: number
  /** Milliseconds from the last byte sent to the last byte received, one for each answer. */
  ms: number[]
}

const HEAD_END = Buffer.from('\r\n\r\n')

/** Asks on so many connections for so many seconds. Rejects when an answer is not 200. */
export async function ask({ port, path, headers = {} }: Target, connections: number, seconds: number): Promise<Run> {
  const lines = Object.entries({ host: '127.0.0.1', ...headers }).map(([name, value]) => `${name}: ${value}\r\n`)
  const request = Buffer.from(`GET ${path} HTTP/1.1\r\n${lines.join('')}\r\n`)
  const ms: number[] = []
  const began = performance.now()
  const end = began + seconds * 1000
  await Promise.all(
    Array.from(
      { length: connections },
      () =>
        new Promise<void>((resolve, reject) => {
          const socket = connect({ port, host: '127.0.0.1', noDelay: true })
          let sent = 0
          let received: Buffer = Buffer.alloc(0)
          const send = () => {
            sent = performance.now()
            socket.write(request)
          }
          const fail = (why: string) => {
            socket.destroy()
            reject(new Error(`127.0.0.1:${port}${path}: ${why}`))
          }
          socket.on('connect', send)
          socket.on('error', ({ message }) => fail(message))
          socket.on('data', (chunk: Buffer) => {
            received = received.length === 0 ? chunk : Buffer.concat([received, chunk])
            const head = received.indexOf(HEAD_END)
            if (head < 0) return
            const text = received.toString('latin1', 0, head)
            if (!text.startsWith('HTTP/1.1 200 ')) return fail(text)
            const length = Number(/\r\ncontent-length: (\d+)/i.exec(text)?.[1])
            if (received.length < head + HEAD_END.length + length) return
            received = Buffer.alloc(0)
            const now = performance.now()
            ms.push(now - sent)
            if (now < end) return send()
            socket.destroy()
            resolve()
          })
        }),
    ),
  )
  return { perSecond: (ms.length * 1000) / (performance.now() - began), ms }
}
