// A disk that is really full: a small one of its own, in a namespace that needs no rights of the machine's owner.
import { spawnSync } from 'node:child_process'
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import t from 'tap'

const folder = mkdtempSync(join(tmpdir(), 'disk-'))
t.teardown(() => rmSync(folder, { recursive: true, force: true }))
/** Runs a command with a disk of 3 MB at the folder. */
const onSmallDisk = (...command: string[]) =>
  spawnSync('unshare', ['-rm', 'sh', '-c', `mount -t tmpfs -o size=3m disk ${folder} && exec "$@"`, 'sh', ...command])
const skip = onSmallDisk('true').status === 0 ? false : 'no disk of its own can be mounted here'

t.test(
  'a full disk is 507 and leaves nothing; what was accepted is there, and it goes on when there is room',
  { skip },
  async t => {
    const { stdout, stderr } = onSmallDisk(process.execPath, join(import.meta.dirname, 'filling.ts'), folder)
    t.equal(stderr.toString(), '')
    const { code, left, accepted, stored, unfinished } = JSON.parse(stdout.toString() || '{}')
    t.equal(code, 'storage_full')
    t.same(left, [])
    t.ok(accepted > 10, `${accepted} were accepted`)
    t.equal(stored, accepted)
    t.equal(unfinished, 0)
  },
)

t.test('an evaluation that meets a full disk waits, and goes on when there is room', { skip }, async t => {
  const { stdout, stderr } = onSmallDisk(process.execPath, join(import.meta.dirname, 'evaluating.ts'), folder)
  t.equal(stderr.toString(), '')
  const { said, ...end } = JSON.parse(stdout.toString() || '{}')
  t.same(end, { state: 'ready', done: 8, mean: 1 })
  t.same([...new Set(said)], ['storage_full: the evaluations go on in a moment'])
})
