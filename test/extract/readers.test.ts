// Twin of src/rag/extract/run.ts: which child reads which document.
import { mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import t from 'tap'
import { MEGABYTE } from '../../src/rag/extract/reader.ts'
import { extractLimits, openReaders } from '../../src/rag/extract/run.ts'
import { childrenOfOurs } from './children.ts'
import { refused } from './made.ts'

const folder = await mkdtemp(join(tmpdir(), 'readers-'))
t.teardown(() => rm(folder, { recursive: true }))
/** No machine is so busy that a child is not asked again within this time, in milliseconds. */
const patient = { msMax: 600_000, residentBytesMax: 1024 * MEGABYTE }
const readers = openReaders(extractLimits, patient)
t.teardown(() => readers.close())
const path = (name: string) => join(folder, name)
const read = (user: string, name: string) => readers.extract({ path: path(name), name, user })
await writeFile(path('a.txt'), 'Some words.')
await writeFile(path('b.html'), '<html><p>Other words.</p></html>')
await writeFile(path('bad.txt'), '...')
await writeFile(path('large.txt'), 'A line of a long text.\n\n'.repeat(50_000))

t.test('a child reads one document after the other, of one user alone', { skip: process.platform !== 'linux' }, async t => {
  t.match(await read('ann', 'a.txt'), { text: 'Some words.' })
  const [hers] = childrenOfOurs()
  t.match(await read('ann', 'b.html'), { text: 'Other words.' })
  t.same(childrenOfOurs(), [hers], 'the same child')
  t.match(await read('bob', 'a.txt'), { text: 'Some words.' })
  t.equal(childrenOfOurs().length, 2, 'his is another')
  t.ok(childrenOfOurs().includes(hers ?? ''))
  const both = await Promise.all([read('ann', 'a.txt'), read('ann', 'b.html')])
  t.match(both, [{ text: 'Some words.' }, { text: 'Other words.' }], 'two at once have one each')
  await readers.close()
  t.same(childrenOfOurs(), [])
})

t.test(
  'as many wait as there is memory for, so that users in turn start none',
  { skip: process.platform !== 'linux' },
  async t => {
    const users = ['ann', 'bob', 'cid', 'dee', 'eve', 'fay']
    for (const user of users) await read(user, 'a.txt')
    const children = childrenOfOurs()
    t.equal(children.length, users.length)
    for (const user of users) await read(user, 'b.html')
    t.same(childrenOfOurs(), children, 'the same children')
    await readers.close()

    const few = openReaders(extractLimits, { ...patient, residentBytesMax: 200 * MEGABYTE })
    for (const user of users) await few.extract({ path: path('a.txt'), name: 'a.txt', user })
    t.ok(childrenOfOurs().length < users.length, `${childrenOfOurs().length} wait`)
    t.ok(childrenOfOurs().length > 0)
    await few.close()
  },
)

t.test(
  'a child that refused a document, or read a large one, reads no other',
  { skip: process.platform !== 'linux' },
  async t => {
    t.match(await refused(read('ann', 'bad.txt')), { code: 'no_text' })
    t.same(childrenOfOurs(), [])
    t.match(await read('ann', 'large.txt'), { media_type: 'text/plain' })
    t.same(childrenOfOurs(), [])
  },
)

t.test('a child that ended or went wrong while it waited fails no document', { skip: process.platform !== 'linux' }, async t => {
  for (const signal of ['SIGKILL', 'SIGABRT'] as const) {
    await read('ann', 'a.txt')
    const [waiting] = childrenOfOurs()
    process.kill(Number(waiting), signal)
    t.match(await read('ann', 'a.txt'), { text: 'Some words.' })
    t.notOk(childrenOfOurs().includes(waiting ?? ''))
  }
  await readers.close()
})

t.test('a child that ends while it is given a document fails it not', { skip: process.platform !== 'linux' }, async t => {
  const text = 'A line of a long text.\n\n'.repeat(40_000) // more than a pipe holds, and small enough for a child that waits
  await writeFile(path('long.txt'), text)
  await read('ann', 'a.txt')
  const [waiting] = childrenOfOurs()
  process.kill(Number(waiting), 'SIGSTOP') // it takes no more
  const reading = read('ann', 'long.txt')
  await new Promise(resolve => setTimeout(resolve, 500)) // time for the pipe to fill
  process.kill(Number(waiting), 'SIGKILL')
  t.match(await reading, { text: text.trim() })
  await readers.close()
})

t.test('what cannot be read from the disk is told at once, as that', async t => {
  await mkdir(path('folder'))
  await t.rejects(read('ann', 'folder'), { code: 'EISDIR' })
})

t.test('a child that nobody needs ends by itself', { skip: process.platform !== 'linux' }, async t => {
  await openReaders(extractLimits, { ...patient, msMax: 500 }).extract({ path: path('a.txt'), name: 'a.txt', user: 'ann' })
  while (childrenOfOurs().length > 0) await new Promise(resolve => setTimeout(resolve, 50))
  t.pass('it is gone')
})
