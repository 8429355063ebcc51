// The reader of documents when the service that started it is killed: it ends too, by itself.
import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { existsSync, readFileSync } from 'node:fs'
import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import t from 'tap'

const dir = await mkdtemp(join(tmpdir(), 'orphan-'))
t.teardown(() => rm(dir, { recursive: true }))

/** Processor time a reader takes before it is half through a long text, in ticks of 10 ms. */
const AT_WORK_TICKS = 20

/** A process that reads `file`, and the id of its reader, which is at work. */
async function service(file: string) {
  const run = new URL('../../src/rag/extract/run.ts', import.meta.url).href
  const code = `import { openReaders } from ${JSON.stringify(run)}; await openReaders().extract({ path: ${JSON.stringify(file)}, name: 'a.txt', user: 'ann' })`
  const parent = spawn(process.execPath, ['--input-type=module', '-e', code], {
    env: {},
    stdio: ['ignore', 'inherit', 'inherit'],
  })
  const children = `/proc/${parent.pid}/task/${parent.pid}/children`
  while (readFileSync(children, 'utf8') === '') await new Promise(setImmediate)
  const reader = Number(readFileSync(children, 'utf8').trim().split(' ')[0])
  while (ticks(reader) < AT_WORK_TICKS) await new Promise(setImmediate)
  return { parent, reader }
}

/** Processor time of a process, from /proc. */
function ticks(pid: number): number {
  const [user, system] = readFileSync(`/proc/${pid}/stat`, 'latin1').split(') ')[1]?.split(' ').slice(11, 13) ?? []
  return Number(user) + Number(system)
}

t.test('a reader whose service was killed ends, and does not spin', { skip: !existsSync('/proc/self/task') }, async t => {
  const file = join(dir, 'long.txt')
  await writeFile(file, 'One more line of a long text.\n\n'.repeat(200_000))
  const { parent, reader } = await service(file)
  parent.kill('SIGKILL')
  await once(parent, 'exit')
  while (existsSync(`/proc/${reader}`)) await new Promise(setImmediate)
  t.pass('it is gone')
})
