import { execFile, spawn } from 'node:child_process'
import { once } from 'node:events'
import { mkdirSync, readdirSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { promisify } from 'node:util'
import t, { type Test } from 'tap'
import { livingPid } from '../../deploy/pids.ts'
import { freePorts } from '../../deploy/ports.ts'
import { pidsOf } from '../../deploy/stack.ts'
import { lives } from './lives.ts'

const main = join(import.meta.dirname, '../../deploy/main.ts')
const PARTS = ['stack', 'redis', 'auth', 'agent', 'rag', 'envoy']

/** A folder with ports of its own in `.env`, and the command line in it. */
async function folder(t: Test) {
  const dir = t.testdir()
  const { gateway, admin, auth, agent, rag, redis } = await freePorts({})
  const ports = {
    GATEWAY_PORT: gateway,
    GATEWAY_ADMIN_PORT: admin,
    AUTH_SERVICE_PORT: auth,
    AGENT_SERVICE_PORT: agent,
    RAG_SERVICE_PORT: rag,
    REDIS_PORT: redis,
  }
  writeFileSync(
    join(dir, '.env'),
    Object.entries(ports)
      .map(([name, port]) => `${name}=${port}\n`)
      .join(''),
  )
  const env = { PATH: process.env.PATH }
  const run = async (command: string, more: Record<string, string> = {}) => {
    const options = { cwd: dir, env: { ...env, ...more } }
    const ended = promisify(execFile)(process.execPath, [main, command], options).then(output => ({ code: 0, ...output }))
    return (await ended.catch(error => error)) as { code: number; stdout: string; stderr: string }
  }
  t.teardown(() => run('stop'))
  return { dir, env, run, url: `http://127.0.0.1:${gateway}`, pids: () => PARTS.map(name => livingPid(pidsOf(dir), name)) }
}

t.test('start runs the stack behind the command, status tells of each part, stop ends every one', async t => {
  const { dir, run, url, pids } = await folder(t)
  const started = await run('start')
  t.equal(started.code, 0, started.stderr)
  t.match(started.stdout, `The stack is up at ${url}`)
  t.same(
    readdirSync(join(dir, 'run/logs')).toSorted(),
    [...PARTS].toSorted().map(name => `${name}.log`),
  )

  const up = await run('status')
  t.equal(up.code, 0)
  for (const name of PARTS) t.match(up.stdout, new RegExp(`^${name} +runs \\(process \\d+\\)$`, 'm'))
  t.match((await run('start')).stderr, /A stack already runs in /)
  t.match((await run('purge', { YES: '1' })).stderr, 'The stack is running: make stop first.')

  const running = pids()
  t.equal((await run('stop')).stdout, 'The stack has stopped.\n')
  t.notOk(running.some(lives))
  t.equal((await run('stop')).stdout, 'Nothing was running.\n')
  t.match(await run('status'), { code: 1, stdout: /^stack +does not run$/m })
})

t.test('dev prints four commands that work as they stand, and Ctrl-C leaves no process behind', async t => {
  const { dir, env, pids } = await folder(t)
  const dev = spawn(process.execPath, [main, 'dev'], { cwd: dir, env, detached: true, stdio: ['ignore', 'pipe', 'inherit'] })
  const ended = once(dev, 'exit')
  let said = ''
  for await (const text of dev.stdout.setEncoding('utf8')) {
    said += text
    if (/\/agent\/query.*\n/.test(said)) break
  }
  dev.stdout.resume()
  const lines = said.split('\n').filter(line => /^ {2}(TOKEN=|curl)/.test(line))
  t.equal(lines.length, 4)
  mkdirSync(join(dir, 'mine'))
  writeFileSync(join(dir, 'mine', 'YOUR.pdf'), 'The lighthouse was built in 1874 by the fishers of the village.')
  const script = lines.map(line => line.replaceAll('curl -s', 'curl -s --fail-with-body -w "\\n"')).join(' && ')
  const { stdout } = await promisify(execFile)('/bin/sh', ['-c', script], { cwd: join(dir, 'mine') })
  t.match(stdout, /"final_response":/)

  const running = pids()
  t.ok(running.every(lives))
  process.kill(-Number(dev.pid), 'SIGINT')
  t.same(await ended, [0, null])
  t.notOk(running.some(lives))
})

t.test('a start that cannot work says so and leaves nothing running', async t => {
  const { run, pids } = await folder(t)
  const failed = await run('start', { TOKEN_EXPIRY_MINUTES: 'soon' })
  t.match(failed, { code: 1, stderr: /^auth stopped \(exit code 1\)[\s\S]*TOKEN_EXPIRY_MINUTES/ })
  t.same(pids().filter(Boolean), [])
  t.match(await run('start', { GATEWAY_PORT: 'x' }), { code: 1, stderr: 'GATEWAY_PORT is "x", which is not a port.\n' })
})

t.test('purge deletes the data and keeps the secrets', async t => {
  const { dir, run } = await folder(t)
  mkdirSync(join(dir, 'data', 'rag'), { recursive: true })
  t.match((await run('purge', { YES: '1' })).stdout, 'is deleted')
  t.same(readdirSync(dir), ['.env'])
})

t.test('a command that does not exist is answered with those that do', async t => {
  const { run } = await folder(t)
  t.match(await run('fly'), { code: 1, stderr: /^Say one of: dev .*start stop restart status logs/ })
})
