import { spawn } from 'node:child_process'
import { randomBytes } from 'node:crypto'
import { once } from 'node:events'
import { join } from 'node:path'
import t from 'tap'
import { until } from '../auth/house.ts'
import { signingKey } from '../auth/signing.ts'
import { send } from '../support/client.ts'
import { folder } from '../support/folder.ts'
import { freePort, privateRedis } from '../support/redis.ts'
import { auth, environment } from '../support/services.ts'

t.test('no secret, token or password is in any line of log, at the most talkative level, whatever happens', async t => {
  const redis = await privateRedis(t)
  const port = await freePort()
  const url = `http://127.0.0.1:${port}`
  const rootPassword = 'a password for the root'
  const env = environment(redis, {
    LOG_LEVEL: 'trace',
    AUTH_SERVICE_PORT: String(port),
    AUDIT_DIR: folder(t),
    ADMIN_USERNAME: 'root',
    ADMIN_PASSWORD: rootPassword,
  })
  const child = spawn(process.execPath, [join(import.meta.dirname, '../../src/auth/main.ts')], { env, stdio: 'pipe' })
  t.teardown(() => child.kill('SIGKILL'))
  const output: Buffer[] = []
  for (const stream of [child.stdout, child.stderr]) stream.on('data', chunk => output.push(chunk))
  const ready = () =>
    send(url, 'GET', '/ready').then(
      ({ status }) => status === 200,
      () => false,
    )
  await until(ready)

  const secrets = new Map<string, string>()
  const secret = (name: string, value: string) => {
    secrets.set(name, value)
    return value
  }
  const signIn = async (username: string, password: string) => {
    const { body } = await send(url, 'POST', '/login', { username, password })
    secret(`${username}'s token`, body.token.split('.')[2])
    secret(`${username}'s refresh token`, body.refresh_token.slice(67, 110))
    return {
      refresh_token: body.refresh_token,
      user_id: body.user_info.user_id,
      headers: { authorization: `Bearer ${body.token}` },
    }
  }
  const password = secret('password', 'an unmistakable password')
  await send(url, 'POST', '/register', { username: 'ada', password })
  const ada = await signIn('ada', password)
  const root = await signIn('root', secret('the root password', rootPassword))
  for (const wrong of ['the first wrong guess', 'the second wrong guess'])
    await send(url, 'POST', '/login', { username: 'ada', password: secret(wrong, wrong) })
  const { body: next } = await send(url, 'POST', '/refresh', { refresh_token: ada.refresh_token })
  secret('the successor', next.refresh_token.slice(67, 110))
  await send(url, 'POST', '/refresh', { refresh_token: next.refresh_token })
  const made = await send(url, 'POST', '/api-keys', { name: 'k', permissions: ['read:rag'], expires_in_days: 1 }, ada.headers)
  const key = { authorization: `Bearer ${secret('an API key', made.body.key)}` }
  for (const path of ['/me', '/users', '/nothing', `/me?access_token=${secret('a token in the address', 'e30.ZTMw.QUFBQQ')}`])
    await send(url, 'GET', path, undefined, key)
  const { body: invited } = await send(url, 'POST', '/invites', undefined, root.headers)
  await send(url, 'POST', '/register', { username: 'eve', password, invite: secret('an invitation', invited.invite) })
  await send(
    url,
    'PUT',
    '/me/password',
    { current_password: password, new_password: secret('new', 'the password after it') },
    ada.headers,
  )
  for (const body of ['{"password":"an unmistakable password"', '["an unmistakable password"]', '{"an unmistakable password":1}'])
    await fetch(`${url}/login`, {
      method: 'POST',
      body,
      headers: { 'content-type': 'application/json', cookie: 'an unmistakable password' },
    })
  await fetch(`${url}/login`, { method: 'POST', body: 'an unmistakable password', headers: { 'content-type': 'text/plain' } })
  await send(url, 'GET', '/me', undefined, { authorization: 'Basic an unmistakable password' })

  const { app } = await auth(t, { ...env, AUTH_SERVICE_PORT: '0', LOG_LEVEL: 'silent', ADMIN_USERNAME: '' })
  const { privateKey } = await signingKey(app.redis, env.JWT_SECRET_KEY)
  secret('the signing key', String(privateKey.export({ format: 'jwk' }).d))
  for (const name of ['SECRET_KEY', 'JWT_SECRET_KEY']) secret(name, String(env[name]))
  for (const stored of await app.redis.keys('{user,session,api_key}:*'.replace(/{.*}/, '[usa]*'))) {
    for (const [field, value] of Object.entries(await app.redis.hgetall(stored).catch(() => ({}))))
      if (['password', 'refresh', 'previous', 'hash'].includes(field)) secret(`${field} of ${stored}`, value)
  }
  await app.redis.config('SET', 'maxmemory', '1')
  await send(url, 'POST', '/register', { username: 'full', password })
  await send(url, 'POST', '/login', { username: 'root', password: rootPassword })
  await send(url, 'POST', '/api-keys', { name: 'k', permissions: ['read:rag'], expires_in_days: 1 }, root.headers)
  await app.redis.config('SET', 'maxmemory', '0')
  await app.redis.call('CLIENT', 'PAUSE', '3000', 'ALL')
  await send(url, 'POST', '/login', { username: 'root', password: rootPassword })
  await redis.stop()
  await send(url, 'POST', '/register', { username: 'gone', password })
  await send(url, 'GET', '/me', undefined, root.headers)
  await redis.start()
  await until(ready)
  t.equal((await send(url, 'GET', '/me', undefined, root.headers)).status, 200)
  child.kill('SIGTERM')
  const [code] = await once(child, 'close')
  t.equal(code, 0)

  const lines = Buffer.concat(output).toString().trim().split('\n')
  const logged = lines.map(line => JSON.parse(line) as { msg: string; request_id?: string; level: number })
  t.ok(logged.filter(({ msg, request_id }) => msg === 'request' && request_id).length > 20, 'requests are logged')
  t.ok(
    logged.some(({ level }) => level >= 50),
    'and so are the failures of this house',
  )
  t.ok(secrets.size > 20)
  secret('a password hash, stored or not', '$argon2')
  for (const [name, value] of secrets) {
    const forms = [value, Buffer.from(value).toString('base64'), encodeURIComponent(value)]
    const line = lines.find(one => forms.some(form => one.includes(form)))
    if (line) t.fail(`${name} is in: ${line.slice(0, 600)}`)
  }
})

t.test('a replica that cannot read a new signing key says so, and says it once', async t => {
  const redis = await privateRedis(t)
  const port = await freePort()
  const env = environment(redis, { LOG_LEVEL: 'error', AUTH_SERVICE_PORT: String(port), AUDIT_DIR: folder(t) })
  const child = spawn(process.execPath, [join(import.meta.dirname, '../../src/auth/main.ts')], { env, stdio: 'pipe' })
  t.teardown(() => child.kill('SIGKILL'))
  let output = ''
  for (const stream of [child.stdout, child.stderr]) stream.on('data', chunk => (output += chunk))
  const told = () => output.split('\n').filter(line => line.includes('JWT_SECRET_KEY does not open the stored signing keys'))
  await until(() =>
    send(`http://127.0.0.1:${port}`, 'GET', '/ready').then(
      ({ status }) => status === 200,
      () => false,
    ),
  )
  // Another replica has a newer secret, and makes a key at every look at the schedule.
  const JWT_SECRET_KEY = `${randomBytes(32).toString('base64url')},${env.JWT_SECRET_KEY}`
  const rotating = { KEY_ROTATION_HOURS: '0.0001', JWKS_CACHE_S: '1', AUTH_SERVICE_PORT: '0', LOG_LEVEL: 'silent' }
  const { app } = await auth(t, { ...env, ...rotating, JWT_SECRET_KEY })
  await until(() => told().length > 0)
  const keys = () => app.redis.hlen('{keyring}:keys')
  const known = await keys()
  await until(async () => (await keys()) > known + 2)
  t.equal(told().length, 1)
})
