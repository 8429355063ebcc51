// A stack at its most talkative: what its processes are given, and what they write.
import { existsSync, readdirSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import Fastify from 'fastify'
import t from 'tap'
import Type from 'typebox'
import { startStack } from '../../deploy/stack.ts'
import { loadConfig, type SharedConfig, shared } from '../../src/platform/config.ts'
import { registerRedis } from '../../src/platform/redis.ts'
import { signingKey } from '../auth/signing.ts'
import { person, send } from '../support/client.ts'
import { docx, pdf } from '../support/files.ts'
import { folder } from '../support/folder.ts'

const LOOK_EVERY_MS = 2
const limits = ['ADDRESS', 'CALLER', 'LOGIN', 'LOGIN_ACCOUNT'].map(name => `LIMIT_${name}_PER_MIN`)
const admin = { ADMIN_USERNAME: 'root', ADMIN_PASSWORD: 'a password of the admin' }

const stack = await startStack({
  dir: folder(t),
  env: { ...admin, LOG_LEVEL: 'trace', ...Object.fromEntries(limits.map(name => [name, '0'])) },
})
t.teardown(() => stack.stop())
const { url } = stack

/** What must be nowhere, by name; and what only Redis's clients may know. */
const secrets = new Map<string, string>()
const secret = (name: string, value: string) => {
  secrets.set(name, value)
  return value
}
for (const name of ['SECRET_KEY', 'JWT_SECRET_KEY']) secret(name, String(stack.env[name]))
const redisPassword = String(stack.env.REDIS_PASSWORD)
secret('the admin password', admin.ADMIN_PASSWORD)

interface Process {
  command: string
  environment: string
}

/** Agent, rag and every process below them, as the kernel knows them; those that have gone meanwhile are left out. */
function family(): Process[] {
  const parents = new Map<number, number>()
  for (const pid of readdirSync('/proc').filter(name => /^\d+$/.test(name))) {
    const stat = read(pid, 'stat')
    parents.set(Number(pid), Number(stat.slice(stat.lastIndexOf(')') + 2).split(' ')[1]))
  }
  const known = new Set([stack.pid('agent'), stack.pid('rag')])
  const descends = (pid?: number): boolean => pid !== undefined && pid > 1 && (known.has(pid) || descends(parents.get(pid)))
  return [...parents.keys()].filter(descends).map(pid => ({
    command: read(String(pid), 'cmdline').replaceAll('\0', ' '),
    environment: read(String(pid), 'environ'),
  }))
}

function read(pid: string, name: string): string {
  try {
    return readFileSync(join('/proc', pid, name), 'latin1')
  } catch {
    return ''
  }
}

/** Notes every process of the family while `work` goes on. */
async function watching(work: () => Promise<void>): Promise<Process[]> {
  const seen = new Map<string, Process>()
  const look = () => {
    for (const one of family()) seen.set(`${one.command}\n${one.environment}`, one)
  }
  const timer = setInterval(look, LOOK_EVERY_MS)
  await work()
  clearInterval(timer)
  look()
  return [...seen.values()]
}

const forms = (value: string) => [
  value,
  Buffer.from(value).toString('base64'),
  Buffer.from(value).toString('hex'),
  encodeURIComponent(value),
]

/** A person whose every credential is a secret. */
async function known(name: string, password: string) {
  const one = await person(url, name, secret(`the password of ${name}`, password))
  secret(`the token of ${name}`, one.token.split('.')[2] ?? '')
  secret(`the refresh token of ${name}`, one.refresh_token.slice(67, 110))
  return one
}

const ada = await known('ada', 'an unmistakable password')
const root = await person(url, 'root', admin.ADMIN_PASSWORD)

const documents = async () => {
  const files = [
    { name: 'well.pdf', bytes: pdf(['The north well was sealed on 3 May 1921.']) },
    { name: 'mill.docx', bytes: docx(['The mill grinds 40 tonnes of barley.']) },
    { name: 'broken.pdf', bytes: '%PDF-1.4 and nothing that follows from it' },
  ]
  for (const { job_id } of (await ada.upload(...files)).body.documents) await ada.settled(job_id)
}

t.test('agent, rag and their children hold neither secret nor key', { skip: !existsSync('/proc/self/environ') }, async t => {
  const seen = await watching(documents)
  // Not the shell that clears the environment and becomes the reader: it is given the name of its folder.
  const readers = seen.filter(({ command }) => /^\S*node .*extract\/child\.ts/.test(command))
  t.ok(readers.length > 0, 'the reader of documents was seen')
  for (const part of ['agent', 'rag'])
    t.ok(
      seen.some(({ command }) => command.includes(`src/${part}/main.ts`)),
      part,
    )
  for (const { command, environment } of seen) {
    for (const name of ['SECRET_KEY', 'PASSWORD=']) t.notOk(environment.includes(name), `${command} is given ${name}`)
    for (const [name, value] of secrets) t.notOk(`${environment}${command}`.includes(value), `${command} is given ${name}`)
  }
  for (const { command, environment } of readers) t.equal(environment, '', `${command} is given nothing at all`)
})

t.test('no secret, token or password is in any line that any part writes', async t => {
  const { body: next } = await send(url, 'POST', '/auth/refresh', { refresh_token: ada.refresh_token })
  secret('the successor', next.refresh_token.slice(67, 110))
  const { body: made } = await ada.send('POST', '/auth/api-keys', { name: 'k', permissions: ['read:rag'], expires_in_days: 1 })
  const key = { authorization: `Bearer ${secret('an API key', made.key)}` }
  const wrong = secret('a wrong guess', 'the wrong guess of somebody')
  await send(url, 'POST', '/auth/login', { username: 'ada', password: wrong })
  for (const path of ['/rag/documents', '/rag/documents/x/text', '/agent/status', '/auth/users', '/nothing', '/rag/search']) {
    await send(url, 'GET', path, undefined, key)
    await ada.send('GET', path)
    await send(url, 'GET', `${path}?access_token=${made.key}`)
    await send(url, 'GET', path, undefined, {
      authorization: `Basic ${made.key}`,
      cookie: `token=${made.key}`,
      'x-api-key': made.key,
    })
  }
  for (const body of [`{"password":"${wrong}"`, `["${wrong}"]`, `{"${wrong}":1}`]) {
    for (const path of ['/auth/login', '/agent/query', '/rag/search']) {
      const headers = { 'content-type': 'application/json', authorization: `Bearer ${ada.token}` }
      await fetch(url + path, { method: 'POST', body, headers })
    }
  }
  await ada.send('POST', '/agent/query', { user_request: 'When was the north well sealed?' })
  const change = {
    current_password: 'an unmistakable password',
    new_password: secret('the new password', 'the password after it'),
  }
  await ada.send('PUT', '/auth/me/password', change)
  await root.send('PATCH', `/auth/users/${ada.user_id}`, { disabled: true })

  const redis = Fastify()
  await registerRedis(redis, loadConfig(Type.Object(shared), { REDIS_URL: stack.redisUrl }) as SharedConfig)
  const { privateKey } = await signingKey(redis.redis, stack.env.JWT_SECRET_KEY)
  secret('the signing key', String(privateKey.export({ format: 'jwk' }).d))
  for (const stored of await redis.redis.keys('[usa]*:{*')) {
    const held = await redis.redis.hgetall(stored).catch(() => ({}))
    for (const [field, value] of Object.entries(held))
      if (['password', 'refresh', 'previous', 'hash'].includes(field)) secret(`${field} of ${stored}`, value)
  }
  await redis.close()
  // Every part goes down under the hands of someone who is asking, and comes back.
  await stack.kill('redis')
  for (const path of ['/auth/me', '/rag/documents', '/agent/status']) await root.send('GET', path)
  await send(url, 'POST', '/auth/login', { username: 'root', password: admin.ADMIN_PASSWORD })
  await stack.restart('redis')
  await stack.stop()

  secret("Redis's password", redisPassword)
  for (const part of ['redis', 'auth', 'agent', 'rag', 'envoy'] as const) {
    const lines = (await stack.logs(part)).split('\n')
    if (part !== 'redis') t.ok(lines.length > 4, `${part} wrote ${lines.length} lines`)
    for (const [name, value] of secrets) {
      const line = lines.find(one => forms(value).some(form => one.includes(form)))
      if (line) t.fail(`${part} wrote ${name}: ${line.slice(0, 400)}`)
    }
  }
  t.ok(secrets.size > 15)
})
