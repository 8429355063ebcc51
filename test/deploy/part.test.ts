import { EventEmitter, once } from 'node:events'
import { join } from 'node:path'
import t, { type Test } from 'tap'
import { openLog } from '../../deploy/log.ts'
import { type PartPlan, takeCharge } from '../../deploy/part.ts'
import { lives } from './lives.ts'

/** A part that runs a shell script, and what its witness is told. */
function scripted(t: Test, script: string, ready: PartPlan['ready'] = async () => true) {
  const dir = t.testdir()
  const log = openLog(join(dir, 'part.log'))
  const told = new EventEmitter()
  const launch = async () => ({ command: '/bin/sh', args: ['-c', script], env: {}, cwd: dir })
  const part = takeCharge(
    { name: 'rag', after: [], sources: [], launch, ready },
    { log, say: sentence => told.emit('say', sentence), process: pid => told.emit(pid ? 'began' : 'ended', pid) },
  )
  t.teardown(async () => {
    await part.stop()
    log.close()
  })
  return { part, log, told }
}

t.test('a part that ends before it is ready is told with the last lines it said', async t => {
  const { part } = scripted(t, 'i=0; while [ $((i=i+1)) -le 25 ]; do echo line $i; done; exit 3', async () => false)
  await t.rejects(part.start(), { message: /^rag stopped \(exit code 3\)\. It said last:\nline 6\n[\s\S]*line 25$/ })
  t.equal(part.pid(), undefined)
})

t.test('a part that cannot be started at all is an error, not a wait', async t => {
  const { part } = scripted(t, 'exec no-such-command', async () => false)
  await t.rejects(part.start(), /exit code 127/)
})

t.test('a part that dies is started again, named, after a pause that grows', async t => {
  const { part, told } = scripted(t, 'exec sleep 300')
  await part.start()
  for (const pause of ['0.25', '0.5']) {
    const [said, began] = [once(told, 'say'), once(told, 'began')]
    process.kill(Number(part.pid()), 'SIGKILL')
    t.same(await said, [`rag stopped (SIGKILL); starting it again in ${pause} s`])
    t.equal((await began)[0], part.pid())
  }
})

t.test('a part that is killed on purpose stays down until it is started', async t => {
  const { part, told } = scripted(t, 'exec sleep 300')
  await part.start()
  told.on('say', sentence => t.fail(sentence))
  await part.kill('SIGKILL')
  t.equal(part.pid(), undefined)
  await part.start()
  t.ok(lives(Number(part.pid())))
})

t.test('what a part started ends with it, however the part ends', async t => {
  const { part, log } = scripted(t, 'sleep 300 & echo $!; wait')
  for (const signal of ['SIGTERM', 'SIGKILL'] as const) {
    const from = log.size()
    await part.start()
    while (!log.read(from).endsWith('\n')) await new Promise(setImmediate)
    const child = Number(log.read(from))
    t.ok(lives(child))
    await part.kill(signal)
    while (lives(child)) await new Promise(setImmediate)
    t.pass(`the child is gone after ${signal}`)
  }
})

t.test('a start that is given up leaves nothing running', async t => {
  const { part, told } = scripted(t, 'exec sleep 300', async () => false)
  const given = new AbortController()
  const start = part.start(given.signal)
  const [pid] = await once(told, 'began')
  given.abort(new Error('given up'))
  await t.rejects(start, { message: 'given up' })
  t.notOk(lives(pid))
})

t.test('a part that ends while it is asked whether it is ready is not ready, whoever answers', async t => {
  const { part, told } = scripted(t, 'sleep 0.2; exit 3', () => once(told, 'ended').then(() => true))
  await t.rejects(part.start(), { message: /^rag stopped \(exit code 3\)/ })
})
