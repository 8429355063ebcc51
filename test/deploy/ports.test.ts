import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { type AddressInfo, createServer } from 'node:net'
import t from 'tap'
import { edgeUrl, freePort, freePorts, portsOf, requireFree } from '../../deploy/ports.ts'
import { redisPart } from '../../deploy/redis.ts'

t.test('a busy port is named in a sentence with the part that wanted it and the variable that moves it', async t => {
  const server = createServer().listen(0, '127.0.0.1')
  t.teardown(() => server.close())
  await once(server, 'listening')
  const { port } = server.address() as AddressInfo
  const ports = await freePorts({ rag: port })
  await t.rejects(requireFree(['auth', 'rag'], ports), {
    message: `Port ${port} is in use, so rag cannot start: end what listens there, or set RAG_SERVICE_PORT to another port.`,
  })
  await t.resolves(requireFree(['auth', 'agent', 'redis', 'envoy'], ports), 'the port of a part that does not start may be busy')
})

t.test('free ports keep those that were given, differ, and lie below what the kernel gives to outgoing connections', async t => {
  const ports = await freePorts({ auth: 15_001 })
  t.equal(ports.auth, 15_001)
  t.equal(new Set(Object.values(ports)).size, 7)
  for (const port of Object.values(ports)) t.ok(port >= 15_000 && port < 32_768)
})

t.test(
  'a port that was given out is not given out again, by no other process either, though nobody listens there yet',
  async t => {
    const { random } = Math
    t.teardown(() => {
      Math.random = random
    })
    /** Lets the next pick begin with `port`. */
    const first = (port: number) => {
      Math.random = () => {
        Math.random = random
        return (port - 15_000 + 0.5) / 17_000
      }
    }
    const script = `const { freePort } = await import('${new URL('../../deploy/ports.ts', import.meta.url)}')
    console.log(await freePort())
    setInterval(() => {}, 1000)`
    const other = spawn(process.execPath, ['--input-type=module', '-e', script], { stdio: ['ignore', 'pipe', 'inherit'] })
    const ended = once(other, 'exit')
    t.teardown(() => other.kill())
    const taken = Number(await once(other.stdout, 'data'))

    first(taken)
    const own = await freePort()
    t.not(own, taken)
    first(own)
    t.not(await freePort(), own, 'nor by this one')
    other.kill()
    await ended
    first(taken)
    t.equal(await freePort(), taken, 'whoever has ended holds none')
  },
)

t.test('ports come from their variables, and what is not a port is refused by name', async t => {
  t.match(portsOf({ GATEWAY_PORT: '8080' }), { gateway: 8080, auth: 5001, agent: 5002, rag: 5003 })
  for (const wrong of ['0', '65536', '-1', '80a', '1e3']) {
    t.throws(() => portsOf({ GATEWAY_PORT: wrong }), { message: `GATEWAY_PORT is "${wrong}", which is not a port.` })
  }
})

t.test('a Redis that hangs up before it has answered is not waited for', async t => {
  const server = createServer(socket => socket.end('+OK\r\n')).listen(0, '127.0.0.1')
  t.teardown(() => server.close())
  await once(server, 'listening')
  const { port } = server.address() as AddressInfo
  const { ready } = redisPart({ dir: t.testdir(), port, password: 'x'.repeat(16) })
  await t.rejects(ready())
})

t.test('the edge is asked where it listens', t => {
  const at = (settings: Record<string, string>) => edgeUrl(settings, { gateway: 5000 })
  t.equal(at({}), 'http://127.0.0.1:5000')
  t.same(
    ['0.0.0.0', '10.0.0.5', '::', 'fd00::5'].map(GATEWAY_HOST => at({ GATEWAY_HOST })),
    ['127.0.0.1', '10.0.0.5', '[::1]', '[fd00::5]'].map(host => `http://${host}:5000`),
  )
  t.end()
})
