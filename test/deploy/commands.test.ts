import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { mkdirSync, readdirSync } from 'node:fs'
import { join } from 'node:path'
import t from 'tap'
import { until } from '../auth/house.ts'
import { folder, main, PARTS } from './folder.ts'
import { lives } from './lives.ts'

t.test('start runs the stack behind the command, status tells of each part, stop ends every one', async t => {
  const { dir, run, url, pids } = await folder(t, { GATEWAY_HOST: '127.0.0.2' })
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
  t.match(
    (await run('purge', { YES: '1' })).stderr,
    'The stack is running (stack, envoy, auth, agent, rag, redis): make stop first.',
  )
  const running = pids()
  process.kill(Number(running[0]), 'SIGKILL')
  t.match((await run('purge', { YES: '1' })).stderr, /^The stack is running \(envoy, auth, agent, rag, redis\)/)

  t.equal((await run('stop')).stdout, 'The stack has stopped.\n')
  t.notOk(running.some(lives))
  t.equal((await run('stop')).stdout, 'Nothing was running.\n')
  t.match(await run('status'), { code: 1, stdout: /^stack +does not run$/m })
})

t.test('a start that cannot work says so and leaves nothing running', async t => {
  const { run, pids } = await folder(t)
  const failed = await run('start', { TOKEN_EXPIRY_MINUTES: 'soon' })
  t.match(failed, { code: 1, stderr: /^auth stopped \(exit code 1\)[\s\S]*TOKEN_EXPIRY_MINUTES/ })
  t.same(pids().filter(Boolean), [])
  t.match(await run('start', { GATEWAY_PORT: 'x' }), { code: 1, stderr: 'GATEWAY_PORT is "x", which is not a port.\n' })
})

t.test('Ctrl-C while a start is waited for gives the start up and leaves nothing running', async t => {
  const { dir, env, pids } = await folder(t)
  const start = spawn(process.execPath, [main, 'start'], { cwd: dir, env, stdio: 'ignore' })
  const ended = once(start, 'exit')
  await until(() => pids().filter(Boolean).length > 1)
  start.kill('SIGINT')
  t.same(await ended, [null, 'SIGINT'])
  await until(() => pids().every(pid => pid === undefined))
})

t.test('purge deletes the data and keeps the secrets', async t => {
  const { dir, run } = await folder(t)
  mkdirSync(join(dir, 'data', 'rag'), { recursive: true })
  const { stdout } = await run('purge', { YES: '1', AUDIT_DIR: '/srv/audit' })
  t.match(stdout, /is deleted\.\nWhat lies where AUDIT_DIR says is not/)
  t.same(readdirSync(dir), ['.env'])
})

t.test('a command that does not exist is answered with those that do', async t => {
  const { run } = await folder(t)
  t.match(await run('fly'), { code: 1, stderr: /^Say one of: dev .*start stop restart status logs/ })
})
