// Replies that go on for long: each ends when its caller is signed out, and goes on as long as she is not.
import { get, type IncomingMessage } from 'node:http'
import { PassThrough } from 'node:stream'
import t from 'tap'
import { standing } from '../../src/platform/standing.ts'
import { held } from '../auth/acts.ts'
import { house, until } from '../auth/house.ts'
import { verifier } from './verifier.ts'

const home = await house(t)
const stuck = Buffer.alloc(64 * 1024)
let open = 0
/** A stream that never ends by itself: one with an event every few milliseconds, one silent, one more than its reader takes. */
const endless = (kind: 'busy' | 'silent' | 'stuck') => (reply: import('fastify').FastifyReply) => {
  const stream = new PassThrough()
  open += 1
  stream.write(': began\n\n')
  const timer = setInterval(() => kind === 'busy' && stream.write('event: tick\n\n'), 5)
  if (kind === 'stuck') for (let i = 0; i < 400; i++) stream.write(stuck)
  stream.on('close', () => {
    clearInterval(timer)
    open -= 1
  })
  const ended = standing(reply)
  if (kind !== 'stuck') ended.addEventListener('abort', () => stream.end())
  return reply.send(stream)
}
const app = await verifier(t, home.env, home.url, {
  '/busy': endless('busy'),
  '/silent': endless('silent'),
  '/stuck': endless('stuck'),
})
const url = await app.listen({ host: '127.0.0.1', port: 0 })

/** Opens a stream; `over` turns true when it ends, in whatever way, `whole` when it was not cut. A reader that does not read only waits for the end. */
async function follow(path: string, headers: Record<string, string>, reads = true) {
  const reply = await new Promise<IncomingMessage>((resolve, reject) =>
    get(url + path, { headers, agent: false }, resolve).on('error', reject),
  )
  const state = { status: reply.statusCode, over: false, whole: false }
  reply.on('end', () => (state.whole = true))
  for (const event of ['close', 'error']) reply.on(event, () => (state.over = true))
  if (reads) reply.resume()
  else reply.once('readable', () => undefined)
  t.teardown(() => reply.destroy())
  return state
}

t.test('an open stream ends when its session or key ends, be it busy, silent, or not read at all', async t => {
  const { ada, second, key } = await held(home, 'ada')
  const ended = [
    await follow('/busy', second.headers),
    await follow('/silent', second.headers),
    await follow('/stuck', second.headers, false),
    await follow('/busy', key.headers),
  ]
  const kept = await follow('/busy', ada.headers)
  t.same([...new Set(ended.map(({ status }) => status))], [200])
  await ada.ask('DELETE', `/sessions/${second.session_id}`)
  await ada.ask('DELETE', `/api-keys/${key.id}`)
  await until(() => open === 1)
  await until(() => ended[0]?.over === true && ended[1]?.over === true && ended[3]?.over === true)
  t.ok(ended[0]?.whole && ended[1]?.whole && ended[3]?.whole, 'those that end by themselves are not cut')
  t.notOk(kept.over, 'another session of hers goes on')
  await ada.ask('POST', '/logout')
  await until(() => kept.over && open === 0)
})

t.test('a stream does not outlive a Redis that can no longer say who is signed in', async t => {
  const { ada } = await held(home, 'eve')
  const stream = await follow('/busy', ada.headers)
  await home.redis.stop()
  await until(() => stream.over)
  await home.redis.start()
  t.ok(stream.over)
})
