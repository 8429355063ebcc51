import { chmodSync, existsSync, readFileSync, statSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import t from 'tap'
import { environmentOf, openSettings, readSettings } from '../../deploy/environment.ts'
import { serviceConfigs } from '../../deploy/services.ts'

const SECRETS = ['SECRET_KEY', 'JWT_SECRET_KEY', 'REDIS_PASSWORD']

t.test('the first start writes secrets that nobody else can read, and the second start finds the same', async t => {
  const dir = t.testdir()
  const first = openSettings(dir)
  t.equal(statSync(join(dir, '.env')).mode & 0o777, 0o600)
  for (const name of SECRETS) t.match(first[name], /^[\w-]{43}$/)
  t.equal(new Set(SECRETS.map(name => first[name])).size, SECRETS.length)
  t.same(openSettings(dir), first)
  t.not(openSettings(t.testdir({})).SECRET_KEY, first.SECRET_KEY)
})

t.test('an .env that is there keeps every byte; only what is missing is added', async t => {
  const mine = 'SECRET_KEY=my own\nLOG_LEVEL=debug # and a comment'
  const dir = t.testdir({ '.env': mine })
  chmodSync(join(dir, '.env'), 0o644)
  const settings = openSettings(dir)
  t.ok(readFileSync(join(dir, '.env'), 'utf8').startsWith(`${mine}\n`))
  t.match(settings, { SECRET_KEY: 'my own', LOG_LEVEL: 'debug' })
  t.equal(statSync(join(dir, '.env')).mode & 0o777, 0o600)

  const complete = readFileSync(join(dir, '.env'), 'utf8')
  openSettings(dir)
  t.equal(readFileSync(join(dir, '.env'), 'utf8'), complete)
})

t.test('what is given wins over .env, and an empty variable counts as not set', async t => {
  const dir = t.testdir({ '.env': 'LOG_LEVEL=debug\nREGISTRATION=closed\nCORS_ORIGINS=\n' })
  t.same(readSettings(dir, { LOG_LEVEL: 'warn', REGISTRATION: '' }), { LOG_LEVEL: 'warn', REGISTRATION: 'closed' })
})

t.test('in production no secret is made up', async t => {
  const dir = t.testdir()
  t.same(openSettings(dir, { NODE_ENV: 'production' }), { NODE_ENV: 'production' })
  t.notOk(existsSync(join(dir, '.env')))
})

t.test('the signing secrets reach auth alone, and no service gets what it does not declare', async t => {
  const dir = t.testdir()
  writeFileSync(join(dir, '.env'), 'AWS_SECRET_ACCESS_KEY=x\n')
  const settings = openSettings(dir, { REDIS_URL: 'redis://127.0.0.1:1' })
  const [auth, agent, rag] = [serviceConfigs.auth, serviceConfigs.agent, serviceConfigs.rag].map(schema =>
    environmentOf(schema, settings),
  )
  t.match(auth, { SECRET_KEY: settings.SECRET_KEY, JWT_SECRET_KEY: settings.JWT_SECRET_KEY })
  for (const environment of [agent, rag]) t.notOk('SECRET_KEY' in Object(environment) || 'JWT_SECRET_KEY' in Object(environment))
  for (const environment of [auth, agent, rag]) {
    t.equal(environment?.REDIS_URL, 'redis://127.0.0.1:1')
    t.notOk('REDIS_PASSWORD' in Object(environment) || 'AWS_SECRET_ACCESS_KEY' in Object(environment))
  }
})
