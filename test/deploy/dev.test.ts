import { execFile, spawn } from 'node:child_process'
import { once } from 'node:events'
import { mkdirSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { promisify } from 'node:util'
import t from 'tap'
import { folder, main } from './folder.ts'
import { lives } from './lives.ts'

t.test('dev prints four commands that work as they stand, and Ctrl-C leaves no process behind', async t => {
  const { dir, env, pids } = await folder(t)
  const dev = spawn(process.execPath, [main, 'dev'], { cwd: dir, env, detached: true, stdio: ['ignore', 'pipe', 'ignore'] })
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
