// Twin of src/rag/store/database.ts, what holds for any file behind its door; and of tables/idempotency.ts.
import { open } from 'node:fs/promises'
import { join } from 'node:path'
import t from 'tap'
import { openCatalogue } from '../../src/rag/store/catalogue.ts'
import { openDatabase } from '../../src/rag/store/database.ts'
import { schemas } from '../../src/rag/store/schema.ts'
import { dataFolder } from './parts.ts'

t.test('a database that finds no room on its disk says so', async t => {
  const path = await dataFolder(t)
  const database = openDatabase(join(path, 'small.sqlite'), ['CREATE TABLE rows (bytes BLOB)'])
  t.teardown(() => database.close())
  database.one('PRAGMA max_page_count = 4')
  const fill = () => database.run('INSERT INTO rows VALUES (zeroblob(100000))')
  t.throws(fill, { code: 'storage_full' })
  t.throws(() => database.transaction(fill), { code: 'storage_full' })
  t.throws(() => database.one('INSERT INTO rows VALUES (zeroblob(100000)) RETURNING 1'), { code: 'storage_full' })
  await t.rejects(database.later(fill), { code: 'storage_full' })
})

t.test('what is written outside of a transaction counts for the log as well, what is read does not', async t => {
  const path = await dataFolder(t)
  const database = openDatabase(join(path, 'log.sqlite'), ['CREATE TABLE rows (n INTEGER)'])
  t.teardown(() => database.close())
  let emptied = 0
  database.checkpointed(async () => void emptied++)
  const repeat = (count: number, work: () => unknown) => {
    for (let n = 0; n < count; n++) work()
  }
  repeat(249, () => database.run('INSERT INTO rows VALUES (1)'))
  repeat(500, () => database.all('SELECT n FROM rows'))
  database.transaction(() => repeat(500, () => database.run('UPDATE rows SET n = 2')))
  t.equal(emptied, 1)
  repeat(500, () => database.run('DELETE FROM rows'))
  t.equal(emptied, 3)
})

t.test('answers that are too old go a hundred with each new one, and one that is still there does not count', async t => {
  const path = await dataFolder(t)
  const { idempotency, close } = openCatalogue(path)
  t.teardown(close)
  const row = { user_id: 'ann', route: 'POST /documents', fingerprint: 'f', status: 202, reply: '{}' }
  const raw = openDatabase(join(path, 'catalogue.sqlite'), schemas)
  t.teardown(() => raw.close())
  raw.run(`INSERT INTO idempotency SELECT 'ann', 'POST /documents', value, 'f', 202, 'old', value FROM json_each(:numbers)`, {
    numbers: JSON.stringify(Array.from({ length: 250 }, (_, i) => i + 1)),
  })
  const left = () => raw.one<{ n: number }>('SELECT count(*) AS n FROM idempotency')?.n
  t.equal(idempotency.find('ann', 'POST /documents', '250'), undefined)
  idempotency.insert({ ...row, key: '250' })
  t.equal(left(), 150)
  t.match(idempotency.find('ann', 'POST /documents', '250'), { reply: '{}' })
  idempotency.insert({ ...row, key: 'new' })
  idempotency.insert({ ...row, key: 'newer' })
  t.equal(left(), 3)
})

t.test('once the disk has failed to write, nothing is said to be on it any more', async t => {
  const path = await dataFolder(t)
  const database = openDatabase(join(path, 'lost.sqlite'), ['CREATE TABLE rows (n INTEGER)'])
  t.teardown(() => database.close())
  const lost: unknown[] = []
  database.undurable(error => lost.push(error))
  const write = () => database.later(() => database.run('INSERT INTO rows VALUES (1)'))
  await write()
  const handle = await open(join(path, 'lost.sqlite'))
  const file = Object.getPrototypeOf(handle) as { sync: () => Promise<void> }
  await handle.close()
  const { sync } = file
  t.teardown(() => {
    file.sync = sync
  })
  file.sync = async () => {
    file.sync = sync
    throw Object.assign(new Error('EIO: i/o error, fsync'), { code: 'EIO', syscall: 'fsync' })
  }
  await t.rejects(write(), { code: 'EIO' })
  await t.rejects(write(), { code: 'EIO' }, 'though the kernel says nothing any more')
  t.match(lost, [{ code: 'EIO' }])
  t.equal(lost.length, 1)
})
