import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import t from 'tap'
import { house } from '../auth/house.ts'
import { type Folder, readFolder, tamper } from '../auth/tampering.ts'

t.test('of five hundred tamperings with the sealed log all are found', async t => {
  const dir = mkdtempSync(join(tmpdir(), 'audit-'))
  t.teardown(() => rmSync(dir, { recursive: true, force: true }))
  const { app, admin, person } = await house(t, { AUDIT_DIR: dir })
  const verify = async () => (await admin.ask('GET', '/audit/verify')).body
  const older: Folder[] = []
  for (let i = 0; i < 40; i++) {
    const one = await person(`user${i}`)
    await one.ask('GET', '/users')
    await one.ask('POST', '/logout')
    await verify()
    older.push(readFolder(dir))
  }
  await person('last')
  await verify()
  // Half of the log is on disk alone.
  await app.redis.xtrim('audit:{audit}:events', 'MAXLEN', 80)
  await tamper(t, { dir, older, verify, count: 500, seed: 4 })
})
