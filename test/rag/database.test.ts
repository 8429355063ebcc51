// Twin of src/rag/store/database.ts: what holds for any file behind its door.
import { join } from 'node:path'
import t from 'tap'
import { openDatabase } from '../../src/rag/store/database.ts'
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
