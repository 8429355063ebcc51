import { createHash } from 'node:crypto'
import t from 'tap'
import { authConfig } from '../../src/auth/config.ts'
import { authService } from '../../src/auth/plugin.ts'
import { buildService } from '../../src/platform/service.ts'
import { personAt } from '../auth/house.ts'
import { privateRedis } from '../support/redis.ts'
import { environment, password } from '../support/services.ts'

const digest = (text: string) => createHash('sha1').update(text).digest('hex')

/** CRC-16/XMODEM, as Redis Cluster computes it. */
function crc16(bytes: Buffer): number {
  let crc = 0
  for (const byte of bytes) {
    crc ^= byte << 8
    for (let bit = 0; bit < 8; bit++) crc = ((crc << 1) ^ (crc & 0x8000 ? 0x1021 : 0)) & 0xffff
  }
  return crc
}

/** The slot of a key: of what stands between its first `{` and the `}` after it, when that is something (Redis Cluster specification). */
function slotOf(key: string): number {
  const open = key.indexOf('{')
  const close = key.indexOf('}', open + 1)
  const tag = open >= 0 && close > open + 1 ? key.slice(open + 1, close) : key
  return crc16(Buffer.from(tag)) % 16_384
}

t.test('slots are computed as Redis does', async t => {
  t.equal(crc16(Buffer.from('123456789')), 0x31c3)
  t.equal(slotOf('user1000'), slotOf('{user1000}.following'))
  t.equal(slotOf('foo{{bar}}zap'), slotOf('{bar'), 'the first } ends it')
  t.equal(slotOf('foo{}{bar}'), crc16(Buffer.from('foo{}{bar}')) % 16_384, 'nothing between is no tag')
})

t.test('every script and every transaction of auth touches one slot, in whatever it does', async t => {
  const redis = await privateRedis(t)
  const env = environment(redis, {
    ADMIN_USERNAME: 'root',
    ADMIN_PASSWORD: password,
    AUDIT_DIR: t.testdir(),
    ...Object.fromEntries(['CALLER', 'ADDRESS', 'LOGIN', 'LOGIN_ACCOUNT'].map(name => [`LIMIT_${name}_PER_MIN`, '1000'])),
    LIMIT_REGISTER_PER_5MIN: '1000',
  })
  const service = authService(authConfig(env))
  const scripts = new Map<string, string>()
  let watching: { status: string; disconnect(): void } | undefined
  const touched: { what: string; keys: Set<string> }[] = []
  const app = await buildService({
    ...service,
    async keys(app) {
      const define = app.redis.defineCommand.bind(app.redis)
      app.redis.defineCommand = (name, definition) => {
        scripts.set(digest(String(definition.lua)), name)
        define(name, definition)
      }
      const monitor = await app.redis.monitor()
      watching = monitor
      const transactions = new Map<string, Set<string>>()
      monitor.on('monitor', (_time: string, [command = '', ...args]: string[], source: string) => {
        const name = command.toLowerCase()
        if (source === 'lua') return void (args[0] && touched.at(-1)?.keys.add(args[0]))
        if (name === 'evalsha' || name === 'eval') {
          const sha = name === 'eval' ? digest(JSON.parse(`"${args[0]}"`)) : String(args[0])
          touched.push({ what: scripts.get(sha) ?? sha, keys: new Set(args.slice(2, 2 + Number(args[1]))) })
        } else if (name === 'multi') transactions.set(source, new Set())
        else if (name === 'exec') {
          touched.push({ what: 'transaction', keys: transactions.get(source) ?? new Set() })
          transactions.delete(source)
        } else transactions.get(source)?.add(String(args[0]))
      })
      return service.keys(app)
    },
  })
  t.teardown(async () => {
    watching?.disconnect()
    await app.close()
  })

  const root = await personAt(app, 'root')
  const ada = await personAt(app, 'ada')
  const eve = await personAt(app, 'eve')
  const post = (url: string, payload: object) => app.inject({ method: 'POST', url, payload })
  await post('/login', { username: 'ada', password: 'a wrong password' })
  await post('/login', { username: 'a}b{c', password: 'a wrong password' })
  await post('/login', { username: '{}{}', password: 'a wrong password' })
  const next = (await post('/refresh', { refresh_token: ada.refresh_token })).json()
  await post('/refresh', { refresh_token: next.refresh_token })
  await post('/refresh', { refresh_token: ada.refresh_token })
  const again = await personAt(app, 'ada')
  await again.ask('POST', '/api-keys', { name: 'k', permissions: ['read:rag'], expires_in_days: 1 })
  await again.ask('PUT', '/me/password', { current_password: password, new_password: 'another password' })
  await root.ask('PATCH', `/users/${ada.user_id}`, { role: 'admin' })
  await root.ask('PATCH', `/users/${ada.user_id}`, { role: 'user' })
  await root.ask('DELETE', `/users/${eve.user_id}`)
  await root.ask('GET', '/audit/verify')
  await app.inject('/nothing')

  for (const { what, keys } of touched) {
    const slots = new Set([...keys].map(slotOf))
    if (slots.size > 1) t.fail(`${what} touches ${[...keys].join(', ')}`)
  }
  const used = new Set(touched.map(({ what }) => what))
  t.same(
    [...scripts.values()].filter(name => !used.has(name)),
    [],
    'every script was run',
  )
  t.ok(used.has('transaction'))
  t.ok(touched.some(({ what, keys }) => what === 'admit' && keys.size >= 3))
})
