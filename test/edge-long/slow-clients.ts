// Clients that take their time, in a thread of their own: `workerData` says how many, of which kind and at which port. Whoever is cut off
// comes again, so that there are always as many. Says `all` once all of them are connected for the first time.
import { connect } from 'node:net'
import { parentPort, workerData } from 'node:worker_threads'

const { count, kind, port } = workerData as { count: number; kind: keyof typeof kinds; port: number }

/** What is sent at once, and again and again; a client that reads slowly asks for much and reads nothing. */
const kinds = {
  head: { first: 'GET /auth/me HTTP/1.1\r\nHost: a\r\n', drop: 'a: b\r\n' },
  body: {
    first: 'POST /auth/login HTTP/1.1\r\nHost: a\r\nContent-Type: application/json\r\nContent-Length: 60000\r\n\r\n{',
    drop: ' ',
  },
  reader: { first: 'GET /rag/openapi.json HTTP/1.1\r\nHost: a\r\n\r\n'.repeat(100), drop: '' },
}
const { first, drop } = kinds[kind]
const DROP_EVERY_MS = 2_000

let connected = 0
function come() {
  const socket = connect(port, '127.0.0.1')
  if (kind === 'reader') socket.pause()
  else socket.resume()
  socket.on('error', () => undefined)
  socket.on('connect', () => {
    socket.write(first)
    if (++connected === count) parentPort?.postMessage('all')
  })
  const dripping = setInterval(() => drop && socket.writable && socket.write(drop), DROP_EVERY_MS)
  socket.on('close', () => {
    clearInterval(dripping)
    setTimeout(come, 50)
  })
}
for (let i = 0; i < count; i++) setTimeout(come, i)
