// Twin of src/rag/store/originals.ts and lock.ts, on a real disk.
import { spawnSync } from 'node:child_process'
import { createHash } from 'node:crypto'
import { mkdtemp, readdir, readFile, rm, statfs } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import t, { type Test } from 'tap'
import { lockFolder } from '../../src/rag/store/lock.ts'
import { openOriginals } from '../../src/rag/store/originals.ts'

const MEGABYTE = 1024 * 1024

async function folder(t: Test) {
  const path = await mkdtemp(join(tmpdir(), 'originals-'))
  t.teardown(() => rm(path, { recursive: true }))
  return path
}

async function* pieces(...texts: string[]) {
  for (const text of texts) yield Buffer.from(text)
}

t.test('a file appears under the hash of its bytes', async t => {
  const originals = await openOriginals(await folder(t), 0)
  const file = await originals.spool(pieces('ab', 'c'), 10)
  t.equal(file.sha256, 'ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad')
  t.equal(file.bytes, 3)
  await originals.keep('one', [file])
  t.equal(await readFile(originals.original('one', file.sha256), 'utf8'), 'abc')
})

t.test('a file of exactly the limit is taken, one byte more is too large, is read to its end and leaves nothing', async t => {
  const path = await folder(t)
  const originals = await openOriginals(path, 0)
  t.equal((await originals.spool(pieces('12345', '67890'), 10)).bytes, 10)
  let read = 0
  async function* counted() {
    for await (const piece of pieces('12345', '67890', 'x', 'tail')) {
      read += piece.length
      yield piece
    }
  }
  await t.rejects(originals.spool(counted(), 10), { code: 'too_large' })
  t.equal(read, 15)
  t.equal((await readdir(join(path, 'tmp'))).length, 1, 'only the one that was taken')
})

t.test('a stream that breaks leaves nothing', async t => {
  const path = await folder(t)
  const originals = await openOriginals(path, 0)
  async function* broken() {
    yield Buffer.from('abc')
    throw new Error('cut')
  }
  await t.rejects(originals.spool(broken(), 10), { message: 'cut' })
  t.same(await readdir(join(path, 'tmp')), [])
})

t.test('a file that would leave less than the floor is refused while it arrives', async t => {
  const path = await folder(t)
  const { bavail, bsize } = await statfs(path)
  const originals = await openOriginals(path, bavail * bsize - 40 * MEGABYTE)
  let read = 0
  async function* large() {
    for (; read < 200; read++) yield Buffer.alloc(MEGABYTE, read)
  }
  await t.rejects(originals.spool(large(), 400 * MEGABYTE), { code: 'storage_full' })
  t.equal(read, 200, 'it is read to its end')
  t.same(await readdir(join(path, 'tmp')), [])
})

t.test('below the floor of free space nothing is stored and the reason is said', async t => {
  const path = await folder(t)
  const originals = await openOriginals(path, Number.MAX_SAFE_INTEGER)
  await t.rejects(originals.spool(pieces('abc'), 10), { code: 'storage_full' })
  t.same(await readdir(join(path, 'tmp')), [])
})

t.test('what an earlier process left half-written is gone after opening', async t => {
  const path = await folder(t)
  await (await openOriginals(path, 0)).spool(pieces('abc'), 10)
  await openOriginals(path, 0)
  t.same(await readdir(join(path, 'tmp')), [])
})

t.test('a sweep removes what is not needed and nothing else', async t => {
  const originals = await openOriginals(await folder(t), 0)
  const needed = await originals.writeText('one', 'a')
  await originals.writeText('one', 'b')
  t.equal(await originals.sweep('one', 'texts', new Set([needed])), 1)
  t.same(await readdir(join(originals.directory('one'), 'texts')), [needed])
})

t.test('a long text is kept as it is under the hash of its bytes, wherever its pieces end', async t => {
  const originals = await openOriginals(await folder(t), 0)
  for (const text of ['', `${'x'.repeat(512 * 1024 - 1)}😀 and so on ${'é'.repeat(600_000)}`, '😀'.repeat(300_000)]) {
    const version = await originals.writeText('one', text)
    t.equal(version, createHash('sha256').update(text).digest('hex'))
    t.ok((await readFile(originals.text('one', version), 'utf8')) === text)
  }
})

t.test('a second process on the same folder is refused with a sentence, and admitted when the first is gone', async t => {
  const path = await folder(t)
  const lock = lockFolder(path)
  const second = () =>
    spawnSync(process.execPath, [
      '--input-type=module',
      '-e',
      `import { lockFolder } from ${JSON.stringify(new URL('../../src/rag/store/lock.ts', import.meta.url).href)}; lockFolder(${JSON.stringify(path)})`,
    ])
  const refused = second()
  t.not(refused.status, 0)
  t.match(refused.stderr.toString(), 'Another rag process has the data folder')
  t.throws(() => lockFolder(path), { message: /Another rag process/ }, 'the same process too')
  lock.release()
  t.equal(second().status, 0)
})

t.test('a process that is killed leaves no lock behind', async t => {
  const path = await folder(t)
  const killed = spawnSync(process.execPath, [
    '--input-type=module',
    '-e',
    `import { lockFolder } from ${JSON.stringify(new URL('../../src/rag/store/lock.ts', import.meta.url).href)}; lockFolder(${JSON.stringify(path)}); process.kill(process.pid, 'SIGKILL')`,
  ])
  t.equal(killed.signal, 'SIGKILL')
  lockFolder(path).release()
})
