// Many clients in a thread of their own: `workerData` says how many, how often one comes, what each sends at first and what again and
// again, and whether it reads. Whoever is cut off comes again. Says `all` once all of them are connected for the first time.
import { connect } from 'node:net'
import { parentPort, workerData } from 'node:worker_threads'

export interface Clients {
  port: number
  count: number
  /** Between two of them, in milliseconds. */
  comeEveryMs: number
  first: string
  /** A drop at a time; nothing when empty. */
  drop: string
  reads: boolean
}

const { port, count, comeEveryMs, first, drop, reads } = workerData as Clients
const DROP_EVERY_MS = 2_000
const AGAIN_MS = 50

let connected = 0
function come() {
  const socket = connect(port, '127.0.0.1')
  if (reads) socket.resume()
  else socket.pause()
  socket.on('error', () => undefined)
  socket.on('connect', () => {
    socket.write(first)
    if (++connected === count) parentPort?.postMessage('all')
  })
  const dripping = setInterval(() => drop && socket.writable && socket.write(drop), DROP_EVERY_MS)
  socket.on('close', () => {
    clearInterval(dripping)
    setTimeout(come, AGAIN_MS)
  })
}
for (let i = 0; i < count; i++) setTimeout(come, i * comeEveryMs)
