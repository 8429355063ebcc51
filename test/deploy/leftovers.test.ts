// What a test starts does not outlive it, however it ends.
import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { setTimeout as pause } from 'node:timers/promises'
import t from 'tap'

const preload = new URL('../support/plain-children.ts', import.meta.url)

const lives = (pid: number) => {
  try {
    return process.kill(pid, 0)
  } catch {
    return false
  }
}

t.test('a test file that breaks off ends what it has started', async t => {
  const script = `import { spawn } from 'node:child_process'
    console.log(spawn('sleep', ['60']).pid)
    setTimeout(() => { throw new Error('broken off') }, 100)`
  const broken = spawn(process.execPath, [`--import=${preload}`, '--input-type=module', '-e', script], {
    stdio: ['ignore', 'pipe', 'ignore'],
  })
  const ended = once(broken, 'exit')
  const child = Number(await once(broken.stdout, 'data'))
  t.ok(lives(child))
  t.strictSame(await ended, [1, null])
  for (let look = 0; look < 100 && lives(child); look++) await pause(20)
  t.notOk(lives(child))
})
