// What the edge's /health asks of the services, and how often.
import { once } from 'node:events'
import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'
import { setTimeout as pause } from 'node:timers/promises'
import t from 'tap'
import { house } from '../auth/house.ts'

/** Asked at once. */
const CROWD = 100
/** Looks that a crowd may come to: whoever arrives after one has ended begins another. */
const FEW = CROWD / 5

t.test('a crowd that asks for the health of all comes to the services as a few, and the next look is a new one', async t => {
  let looks = 0
  const rag = createServer(async (_, reply) => {
    looks++
    await pause(50)
    reply.setHeader('content-type', 'application/json').end('{}')
  }).listen(0, '127.0.0.1')
  t.teardown(() => rag.close())
  await once(rag, 'listening')
  const { app, ask } = await house(t, { RAG_SERVICE_URL: `http://127.0.0.1:${(rag.address() as AddressInfo).port}` })
  await app.ready()

  const replies = await Promise.all(Array.from({ length: CROWD }, () => ask('GET', '/gateway/health')))
  t.ok(looks >= 1 && looks <= FEW, `${looks} looks for ${CROWD}`)
  const services = new Set(replies.map(({ body }) => body.services.rag))
  t.ok(services.has('up'), [...services].join())

  rag.close()
  rag.closeAllConnections()
  t.match(await ask('GET', '/gateway/health'), { status: 503, body: { status: 'degraded', services: { rag: 'down' } } })
})
