// The gateway Envoy is measured against: @fastify/http-proxy in a thread of its own, forwarding prefixes and checking nothing.
import { parentPort, workerData } from 'node:worker_threads'
import proxy from '@fastify/http-proxy'
import Fastify from 'fastify'

const app = Fastify()
for (const name of ['auth', 'agent', 'rag']) {
  await app.register(proxy, { upstream: `http://127.0.0.1:${workerData[name]}`, prefix: `/${name}` })
}
parentPort?.postMessage(await app.listen({ host: '127.0.0.1', port: 0 }))
