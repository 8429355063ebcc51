import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { join } from 'node:path'
import t from 'tap'
import { authConfig } from '../../src/auth/config.ts'
import { authService } from '../../src/auth/plugin.ts'
import { openMac, openWrap } from '../../src/auth/secrets.ts'
import { buildService } from '../../src/platform/service.ts'
import { folder } from '../support/folder.ts'
import { privateRedis } from '../support/redis.ts'
import { environment } from '../support/services.ts'
import { asking, personAt } from './house.ts'

const SECRETS = ['an older secret, Xq2v9Lr7Wm4Tz', 'a newer secret, Kp8s3Nd6Yb1Hc', 'the third secret, Jf5g0Rt2Ue7Qa']
const [old = '', next = '', third = ''] = SECRETS.map(text => Buffer.from(text).toString('base64url'))

t.test('a hash is made with the first secret and known by all of them', async t => {
  const before = openMac(old, 'p')
  const during = openMac(`${next},${old}`, 'p')
  const after = openMac(next, 'p')
  t.ok(during.matches('x', before.of('x')))
  t.ok(after.matches('x', during.of('x')))
  t.notOk(after.matches('x', before.of('x')))
  t.notOk(before.matches('x', during.of('x')))
  t.notOk(before.matches('y', before.of('x')))
  t.notOk(before.matches('x', ''))
  t.same(during.all('x'), [after.of('x'), before.of('x')])
  t.not(openMac(old, 'another purpose').of('x'), before.of('x'), 'no purpose knows the hashes of another')
})

t.test('what is wrapped opens under its own name and secret only, and whole', async t => {
  const wrap = openWrap(old, 'p')
  const sealed = wrap.seal('name', Buffer.from('plain'))
  t.equal(wrap.open('name', sealed).plain.toString(), 'plain')
  t.not(wrap.seal('name', Buffer.from('plain')), sealed, 'never the same twice')
  t.throws(() => wrap.open('another', sealed))
  t.throws(() => openWrap(old, 'another purpose').open('name', sealed))
  t.throws(() => openWrap(next, 'p').open('name', sealed), { message: /append the secret it replaced/ })
  const bytes = Buffer.from(sealed, 'base64url')
  for (let i = 0; i < bytes.length; i++) {
    const bent = Buffer.from(bytes)
    bent[i] = (bent[i] ?? 0) ^ 1
    t.throws(() => wrap.open('name', bent.toString('base64url')))
  }
  t.throws(() => wrap.open('name', ''))
  t.same(openWrap(`${next},${old}`, 'p').open('name', sealed), { plain: Buffer.from('plain'), stale: true })
})

t.test('both secrets are replaced step by step, and nobody notices but a key that was not used meanwhile', async t => {
  const redis = await privateRedis(t)
  const base = environment(redis)
  let running: Awaited<ReturnType<typeof buildService>> | undefined
  t.teardown(() => running?.close())
  /** Auth started again with these secrets. */
  const restart = async (secrets: string) => {
    await running?.close()
    const jwt = secrets.split(',').map(one => `${one}jwt`)
    running = await buildService(
      authService(authConfig({ ...base, SECRET_KEY: secrets, JWT_SECRET_KEY: jwt.join(','), AUDIT_DIR: folder(t) })),
    )
    return running
  }
  const makeKey = async ({ headers }: { headers: Record<string, string> }) =>
    `Bearer ${(await asking(await current(), headers)('POST', '/api-keys', { name: 'k', permissions: ['read:rag'], expires_in_days: 1 })).body.key}`
  const me = async (authorization: string) => (await asking(await current(), { authorization })('GET', '/me')).status
  const refresh = async (refresh_token: string) => asking(await current())('POST', '/refresh', { refresh_token })
  const current = async () => running as NonNullable<typeof running>

  const ada = await personAt(await restart(old), 'ada')
  const eve = await personAt(await current(), 'eve')
  const [usedKey, unusedKey] = [await makeKey(ada), await makeKey(ada)]
  const second = (await refresh(ada.refresh_token)).body

  await restart(`${next},${old}`)
  t.equal(await me(`Bearer ${second.token}`), 200, 'a token signed before')
  t.equal(await me(usedKey), 200, 'an API key made before')
  const again = await refresh(ada.refresh_token)
  t.equal(again.status, 200, 'the grace holds across the change')
  const third_ = (await refresh(again.body.refresh_token)).body
  t.ok(third_.token, 'and its successor is of the one lineage there is')
  const hers = (await refresh(eve.refresh_token)).body
  t.ok(hers.token, 'a refresh token given out before')
  const newKey = await makeKey(ada)

  await restart(next)
  t.equal(await me(`Bearer ${second.token}`), 200)
  t.equal(await me(newKey), 200)
  t.equal(await me(usedKey), 200, 'a key that was used has moved to the new secret')
  t.equal(await me(unusedKey), 401, 'what only the removed secret knows is no longer known')
  for (const { refresh_token } of [third_, hers]) t.equal((await refresh(refresh_token)).status, 200)

  await t.rejects(restart(third), { message: /^JWT_SECRET_KEY does not open/ })
})

t.test('a secret that is missing, short, typed or well known stops auth with a sentence that says how to make one', async t => {
  const env = environment(await privateRedis(t))
  const fine = String(env.SECRET_KEY)
  const bad = [
    '',
    'short',
    'x'.repeat(64),
    'abcabcabcabcabcabcabcabcabcabcabcabc',
    `change-me-${fine}`,
    `${fine.slice(0, 20)}secret${fine}`,
    'default-'.repeat(8),
    `${fine},short`,
  ]
  for (const name of ['SECRET_KEY', 'JWT_SECRET_KEY']) {
    for (const secret of bad)
      t.throws(() => authConfig({ ...env, [name]: secret }), { message: new RegExp(`${name}`) }, `${name}=${secret}`)
  }
  t.throws(() => authConfig({ ...env, JWT_SECRET_KEY: fine }), { message: /must differ/ })
  const child = spawn(process.execPath, [join(import.meta.dirname, '../../src/auth/main.ts')], {
    env: { ...env, SECRET_KEY: 'short' },
  })
  const said: Buffer[] = []
  child.stderr.on('data', chunk => said.push(chunk))
  const [code] = await once(child, 'close')
  t.equal(code, 1)
  t.equal(
    Buffer.concat(said).toString(),
    'SECRET_KEY must be random and at least 32 characters long (openssl rand -base64 48 makes one)\n',
  )
})
