// How soon the service says that it is alive while it is at work: asked from a thread of its own, so that nothing of the test stands between.
import { once } from 'node:events'
import { Worker } from 'node:worker_threads'

const EVERY_MS = 20
const asking = `
const { parentPort, workerData } = require('node:worker_threads')
const times = []
let isOver = false
parentPort.once('message', () => (isOver = true))
async function ask() {
  while (!isOver) {
    const began = performance.now()
    const reply = await fetch(workerData + '/health')
    await reply.text()
    times.push(reply.status === 200 ? performance.now() - began : Infinity)
    await new Promise(resolve => setTimeout(resolve, ${EVERY_MS}))
  }
  parentPort.postMessage(times)
}
ask()
`

/** Asks for /health at `url` again and again while `work` runs; gives how long the answers took, in milliseconds, in order of length. */
export async function whileAsking(url: string, work: () => Promise<void>): Promise<number[]> {
  const worker = new Worker(asking, { eval: true, workerData: url })
  await once(worker, 'online')
  await work()
  worker.postMessage('over')
  const [times] = (await once(worker, 'message')) as [number[]]
  await worker.terminate()
  return times.toSorted((a, b) => a - b)
}
