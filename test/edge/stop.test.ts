// The edge that is told to stop, as `make stop` does it, while it is asked for things.
import { once } from 'node:events'
import { Agent, type IncomingMessage, request } from 'node:http'
import { setTimeout as pause } from 'node:timers/promises'
import t from 'tap'
import { startStack } from '../../deploy/stack.ts'
import { person } from '../support/client.ts'
import { folder } from '../support/folder.ts'

const CLIENTS = 16

t.test('a stop says so first, lets what is under way end, and loses no request', async t => {
  const env = { LIMIT_CALLER_PER_MIN: '0', LIMIT_ADDRESS_PER_MIN: '0' }
  const stack = await startStack({ dir: folder(t), env })
  t.teardown(() => stack.stop())
  const ada = await person(stack.url, 'ada')
  const headers = { authorization: `Bearer ${ada.token}` }

  const seen = new Map<string, number>()
  const note = (what: string) => seen.set(what, (seen.get(what) ?? 0) + 1)
  /** Asks again and again, on one connection or on one for each, until nobody listens any more. */
  async function client(keepAlive: boolean) {
    const agent = new Agent({ keepAlive, maxSockets: 1 })
    for (;;) {
      try {
        const asked = request({ port: stack.ports.gateway, host: '127.0.0.1', path: '/auth/me', headers, agent }).end()
        const [reply] = (await once(asked, 'response')) as [IncomingMessage]
        await reply.resume().toArray()
        note(String(reply.statusCode))
      } catch (error) {
        note(String((error as NodeJS.ErrnoException).code))
        return agent.destroy()
      }
    }
  }
  const clients = Array.from({ length: CLIENTS }, (_, i) => client(i % 2 === 0))

  // A document that takes its time to arrive.
  const slow = request({
    port: stack.ports.gateway,
    host: '127.0.0.1',
    path: '/rag/documents',
    method: 'POST',
    headers: { ...headers, 'content-type': 'application/json' },
  })
  slow.write('{"title":"slow",')
  while ((seen.get('200') ?? 0) < CLIENTS * 4) await pause(10)

  const stopped = stack.stop()
  let health = 0
  while (health !== 503) health = (await fetch(`${stack.url}/health`)).status
  t.equal(health, 503, 'a balancer in front is told')
  await Promise.all(clients)
  slow.end('"text":"Said slowly."}')
  const [reply] = (await once(slow, 'response')) as [IncomingMessage]
  t.equal(reply.statusCode, 202, 'what was under way when the doors closed')
  reply.resume()
  await stopped
  // A connection that still waited to be accepted when the door closed is reset by the kernel: nothing of its request was read.
  const others = [...seen.keys()].filter(what => !['200', 'ECONNREFUSED', 'ECONNRESET'].includes(what))
  t.strictSame(others, [], JSON.stringify([...seen]))
  const logged = (await stack.logs('envoy')).split('\n').filter(line => line.includes('"route":"auth_own"'))
  t.equal(logged.length, seen.get('200'), 'every request the edge has read was answered, and the answer arrived')
  t.ok(
    logged.every(line => line.includes('"status":200')),
    'each of them with what was asked for',
  )
})
