import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import t from 'tap'
import { endLeftover, livingPid, notePid } from '../../deploy/pids.ts'

t.test('a noted process is found while it lives and ended when asked', async t => {
  const pids = t.testdir()
  const sleeper = spawn('sleep', ['60'], { detached: true })
  const ended = once(sleeper, 'exit')
  notePid(pids, 'auth', Number(sleeper.pid))
  t.equal(livingPid(pids, 'auth'), sleeper.pid)
  await endLeftover(pids, 'auth')
  t.same(await ended, [null, 'SIGTERM'])
  t.equal(livingPid(pids, 'auth'), undefined)
})

t.test('a pid that now belongs to another process is seen as gone and left alone', async t => {
  const pids = t.testdir()
  notePid(pids, 'auth', process.pid)
  const note = readFileSync(join(pids, 'auth'), 'utf8')
  writeFileSync(join(pids, 'auth'), note.replace(/\d+\n$/, '1\n'))
  t.equal(livingPid(pids, 'auth'), undefined)
  await endLeftover(pids, 'auth')
  t.pass('this process, whose pid stood in the note, is still here')
})

t.test('no note, an empty one and a broken one all mean that nothing runs', async t => {
  const pids = t.testdir({ empty: '', broken: 'x y z', absent: '999999999 boot 1' })
  for (const name of ['none', 'empty', 'broken', 'absent']) t.equal(livingPid(pids, name), undefined)
})
