import { closeSync, mkdirSync, openSync, readFileSync, statSync, truncateSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import t from 'tap'
import { openLog } from '../../deploy/log.ts'

/** Above the bound of one log file, in bytes; nothing but a length, so it takes no room. */
const BYTES = 21 * 1024 * 1024

/** A log file above its bound. */
function grown(dir: string): string {
  const path = join(dir, 'part.log')
  writeFileSync(path, 'the first line\n')
  truncateSync(path, BYTES)
  return path
}

t.test('a log above its bound begins anew, and what it said is kept beside it', t => {
  const path = grown(t.testdir())
  const log = openLog(path)
  t.equal(log.size(), 0)
  t.equal(statSync(`${path}.1`).size, BYTES)
  log.write('more\n')
  t.equal(readFileSync(path, 'utf8'), 'more\n')
  log.close()
  t.end()
})

t.test('a log above its bound that cannot be copied, as on a full disk, begins anew all the same', t => {
  const path = grown(t.testdir())
  mkdirSync(`${path}.1`)
  const log = openLog(path)
  t.equal(log.size(), 0)
  log.close()
  t.end()
})

t.test('a line that a full disk does not take is lost, and nothing else', t => {
  const log = openLog('/dev/full')
  const full = openSync('/dev/full', 'w')
  t.throws(() => writeFileSync(full, 'x'), { code: 'ENOSPC' })
  closeSync(full)
  t.doesNotThrow(() => log.write('a line\n'))
  log.close()
  t.end()
})
