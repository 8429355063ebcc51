import { mkdirSync } from 'node:fs'
import { join } from 'node:path'
import t from 'tap'
import { asFailure } from '../../src/platform/errors.ts'
import { until } from '../auth/house.ts'
import { privateRedis } from '../support/redis.ts'
import { auth, environment, password } from '../support/services.ts'

const codeOf = (said: string | ReturnType<typeof asFailure>) => (typeof said === 'string' ? said : said.code)

t.test('an unknown field is named in words a person understands', async t => {
  const { app } = await auth(t, environment(await privateRedis(t)))
  const payload = { username: 'ada', password: 'correct horse battery', admin: true, zone: 1 }
  const reply = await app.inject({ method: 'POST', url: '/login', payload })
  t.equal(reply.statusCode, 400)
  t.match(reply.json(), {
    code: 'invalid_request',
    message: 'The request is not valid: /admin is not a field that is known here',
    details: [{ path: '/admin' }, { path: '/zone' }],
  })
  t.equal(reply.json().details.length, 2)
})

t.test('whatever is thrown becomes a failure of the closed list, and a 5xx tells nothing of its cause', async t => {
  for (const thrown of [new Error('/etc/secret leaked'), new TypeError('x'), 'a string', { statusCode: 502 }, null]) {
    const { code, message } = asFailure(thrown)
    t.equal(code, 'internal')
    t.notMatch(message, /secret|leaked/)
  }
})

t.test('a Redis that may not write is away, and one without room is full, also in a transaction', async t => {
  const redis = await privateRedis(t)
  const { app } = await auth(t, environment(redis))
  const { redis: client } = app
  await client.set('one', '1')
  const writes = [() => client.set('one', '2'), () => client.multi().set('one', '2').get('one').exec()]
  const codes = () => Promise.all(writes.map(write => write().then(() => 'written', asFailure))).then(all => all.map(codeOf))
  const register = () => app.inject({ method: 'POST', url: '/register', payload: { username: 'ada', password } })

  await client.config('SET', 'maxmemory', '1')
  t.same(await codes(), ['storage_full', 'storage_full'])
  t.match(await register(), { statusCode: 507 })
  await client.config('SET', 'maxmemory', '0')

  await client.config('SET', 'min-replicas-to-write', '1')
  t.same(await codes(), ['unavailable', 'unavailable'], 'it has no replica')
  t.match(await register(), { statusCode: 503, headers: { 'retry-after': '1' } })
  await client.config('SET', 'min-replicas-to-write', '0')

  // A folder stands where the snapshot should be written, as good as a disk that is full.
  mkdirSync(join(redis.dir, 'dump.rdb'))
  await client.config('SET', 'save', '3600 1')
  await client.bgsave()
  await until(async () => (await client.info('persistence')).includes('rdb_last_bgsave_status:err'))
  t.same(await codes(), ['unavailable', 'unavailable'], 'it cannot write to its disk')
  t.match(await register(), { statusCode: 503, headers: { 'retry-after': '1' } })
})
