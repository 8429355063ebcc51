import { spawn } from 'node:child_process'
import { EventEmitter, once } from 'node:events'
import { readdirSync, readFileSync, renameSync, rmSync, statSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import t from 'tap'
import { livingPid } from '../../deploy/pids.ts'
import { pidsOf, type StackOrder, startStack } from '../../deploy/stack.ts'
import { folder } from '../support/folder.ts'
import { lives } from './lives.ts'

t.test('stop leaves no process and no pid file, and the next start finds the same secrets and data', async t => {
  const dir = folder(t)
  const order: StackOrder = { dir, parts: ['redis', 'auth'] }
  const first = await startStack(order)
  const pids = [first.pid('redis'), first.pid('auth')]
  t.ok(pids.every(lives))
  t.equal(statSync(join(dir, 'run/redis/redis.conf')).mode & 0o777, 0o600)
  const account = { username: 'ada', password: 'correct horse battery' }
  const ask = (port: number, path: string) =>
    fetch(`http://127.0.0.1:${port}${path}`, {
      method: 'POST',
      headers: { 'content-type': 'application/json' },
      body: JSON.stringify(account),
    })
  t.equal((await ask(first.ports.auth, '/register')).status, 201)
  await first.stop()
  t.notOk(pids.some(lives))
  t.same(readdirSync(pidsOf(dir)), [])

  const second = await startStack(order)
  t.teardown(() => second.stop())
  t.equal(second.env.SECRET_KEY, first.env.SECRET_KEY)
  t.equal((await ask(second.ports.auth, '/login')).status, 200)
})

t.test('the environment of a running service holds what it declares and nothing of ours', async t => {
  const stack = await startStack({ dir: folder(t), parts: ['redis', 'auth'], env: { OPENAI_API_KEY: 'for the agent alone' } })
  t.teardown(() => stack.stop())
  const environment = readFileSync(`/proc/${stack.pid('auth')}/environ`, 'utf8')
  t.match(environment, `JWT_SECRET_KEY=${stack.env.JWT_SECRET_KEY}`)
  t.notMatch(environment, 'for the agent alone')
  t.notMatch(readFileSync(`/proc/${stack.pid('redis')}/cmdline`, 'utf8'), stack.env.REDIS_PASSWORD)
})

t.test('a part killed from outside is named and comes back by itself', async t => {
  const said = new EventEmitter()
  const stack = await startStack({ dir: folder(t), parts: ['redis'], say: sentence => said.emit('say', sentence) })
  t.teardown(() => stack.stop())
  const killed = stack.pid('redis')
  const named = once(said, 'say')
  process.kill(Number(killed), 'SIGKILL')
  t.match(await named, [/^redis stopped \(SIGKILL\)/])
  while (!stack.pid('redis')) await new Promise(setImmediate)
  t.not(stack.pid('redis'), killed)
})

t.test('a part that dies while its process cannot be noted, as on a full disk, comes back all the same', async t => {
  const said: string[] = []
  const dir = folder(t)
  const stack = await startStack({ dir, parts: ['redis'], say: sentence => said.push(sentence) })
  t.teardown(() => stack.stop())
  const killed = Number(stack.pid('redis'))
  renameSync(pidsOf(dir), `${pidsOf(dir)}-aside`)
  writeFileSync(pidsOf(dir), '')
  process.kill(killed, 'SIGKILL')
  while (said.length < 3) await new Promise(setImmediate)
  rmSync(pidsOf(dir))
  renameSync(`${pidsOf(dir)}-aside`, pidsOf(dir))
  t.match(said, [/^redis is not noted/, /^redis stopped \(SIGKILL\)/, /^redis is not noted/])
  t.not(stack.pid('redis'), killed)
})

t.test('a service that refuses its configuration ends the start with its own sentence', async t => {
  const dir = folder(t)
  const start = startStack({ dir, parts: ['redis', 'auth'], env: { TOKEN_EXPIRY_MINUTES: 'soon' } })
  await t.rejects(start, { message: /^auth stopped \(exit code 1\)[\s\S]*TOKEN_EXPIRY_MINUTES/ })
  t.same(readdirSync(pidsOf(dir)), [])
})

t.test('a Redis without a proper password is refused in a sentence', async t => {
  for (const env of [
    { NODE_ENV: 'production' },
    { REDIS_PASSWORD: 'short' },
    { REDIS_PASSWORD: 'long enough but\nrename-command' },
  ]) {
    await t.rejects(startStack({ dir: folder(t), parts: ['redis'], env }), { message: /^REDIS_PASSWORD must be 16 or more/ })
  }
})

t.test('a second stack in the same folder is refused, one in another folder is not', async t => {
  const order: StackOrder = { dir: folder(t), parts: ['redis'] }
  const first = await startStack(order)
  t.teardown(() => first.stop())
  await t.rejects(startStack(order), { message: /^A stack already runs in .* make stop ends it\.$/ })
  const taken = startStack({ ...order, dir: join(order.dir, 'a'), ports: { redis: first.ports.redis } })
  await t.rejects(taken, { message: /^Port \d+ is in use, so redis cannot start: .* REDIS_PORT/ })
  const other = await startStack({ ...order, dir: join(order.dir, 'b') })
  await other.stop()
})

t.test('what a killed process in charge left running is ended by the next start', async t => {
  const dir = folder(t)
  const program = `
    import { startStack } from ${JSON.stringify(join(import.meta.dirname, '../../deploy/stack.ts'))}
    await startStack({ dir: ${JSON.stringify(dir)}, parts: ['redis'] })
    process.stdout.write('up')`
  const charge = spawn(process.execPath, ['--input-type=module', '--eval', program], { stdio: ['ignore', 'pipe', 'inherit'] })
  const ended = once(charge, 'exit')
  await once(charge.stdout, 'data')
  charge.kill('SIGKILL')
  await ended
  const orphan = livingPid(pidsOf(dir), 'redis')
  t.ok(orphan)
  const stack = await startStack({ dir, parts: ['redis'] })
  t.teardown(() => stack.stop())
  t.notOk(lives(orphan))
})
