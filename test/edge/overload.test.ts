// What the edge does when there is too much of everything. The bounds are lowered, so that a small test reaches them; the actions are ours.
import { once } from 'node:events'
import { connect } from 'node:net'
import { setTimeout as pause } from 'node:timers/promises'
import t from 'tap'
import { startEdge } from './edge.ts'
import { isFailure } from './refusals.ts'

/** Lowers the threshold of one action to next to nothing. */
const atOnce = (action: string) => (text: string) => {
  const lowered = text.replace(
    new RegExp(`(name: envoy.overload_actions.${action}\\n.*threshold: \\{ value: )[\\d.]+`),
    '$10.0001',
  )
  if (lowered === text) throw new Error(`${action} is not configured`)
  return lowered
}

t.test(
  'with memory nearly full, a request is refused in the failure body, and so the caller knows when to come back',
  async t => {
    const edge = await startEdge(t, { config: atOnce('stop_accepting_requests') })
    // The edge looks at its memory four times a second.
    let reply = await edge.ask('/auth/login')
    while (reply.status === 200) reply = await edge.ask('/auth/login')
    isFailure(t, reply, 'unavailable')
    t.equal(reply.headers['retry-after'], '1')
    edge.heard()
    isFailure(t, await edge.askAs('admin', '/auth/users'), 'unavailable')
    t.strictSame(edge.heard(), [])
  },
)

t.test('with memory full, nobody new is let in', async t => {
  const edge = await startEdge(t, { config: atOnce('stop_accepting_connections') })
  const active = 'overload.envoy.overload_actions.stop_accepting_connections.active: 1'
  while (!(await edge.admin('/stats?filter=stop_accepting_connections')).text.includes(active)) await pause(20)
  const socket = connect(edge.port, '127.0.0.1')
  t.teardown(() => socket.destroy())
  socket.on('data', () => t.fail('answered')).on('error', () => undefined)
  socket.write('GET /auth/login HTTP/1.1\r\nHost: a\r\n\r\n')
  await once(socket, 'connect')
  // The admin page is asked meanwhile, in turn with the doors: had they been open, the answer would be here.
  for (let i = 0; i < 20; i++) t.equal((await edge.admin('/ready')).status, 200)
  t.strictSame(edge.heard(), [])
})

t.test('with memory short, a connection is kept for one request only', async t => {
  const edge = await startEdge(t, { config: atOnce('disable_http_keepalive') })
  const ask = () => edge.ask('/auth/login', { headers: { connection: 'keep-alive' } })
  let { headers } = await ask()
  while (headers.connection !== 'close') headers = (await ask()).headers
  t.equal(headers.connection, 'close')
})

t.test('one connection more than the bound is closed at once, and the others go on', async t => {
  const most = 20
  const edge = await startEdge(t, {
    config: text => text.replace('max_active_downstream_connections: 4096', `max_active_downstream_connections: ${most}`),
  })
  const sockets = Array.from({ length: most * 2 }, () => connect(edge.port, '127.0.0.1'))
  t.teardown(() => {
    for (const socket of sockets) socket.destroy()
  })
  let closed = 0
  for (const socket of sockets)
    socket
      .on('error', () => undefined)
      .resume()
      .on('close', () => closed++)
  while (closed < most) await pause(10)
  t.equal(closed, most)
  const first = sockets.find(socket => !socket.destroyed)
  first?.write('GET /auth/login HTTP/1.1\r\nHost: a\r\n\r\n')
  if (first) t.match(String((await once(first, 'data'))[0]), /^HTTP\/1.1 200 /)
})
