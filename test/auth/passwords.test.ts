import { createHook } from 'node:async_hooks'
import { argon2id, hash } from 'argon2'
import t from 'tap'
import { openPasswords } from '../../src/auth/passwords.ts'
import { house, lockOut } from './house.ts'

const COST = /^\$argon2id\$v=19\$m=19456,p=1,t=2\$|^\$argon2id\$v=19\$m=19456,t=2,p=1\$/

const { app, ask, admin } = await house(t)
const register = (username: string, password: unknown) => ask('POST', '/register', { username, password })
const login = async (username: string, password: string) => (await ask('POST', '/login', { username, password })).status
const userKey = async (username: string) => `user:{${await app.redis.get(`username:{${username}}`)}}`

t.test('a password is taken byte for byte, to its last one', async t => {
  const passwords = {
    spaces: '  between spaces  ',
    case: 'CaseMatters1x',
    composed: 'caf\u00e9 caf\u00e9',
    ligature: '\ufb01ne \ufb01ne \ufb01ne',
    long: `${'x'.repeat(100)}1`,
    wide: `${'\u{1f511}'.repeat(127)}a`,
    tab: 'tab\tand\nline',
  }
  const others = {
    spaces: ['between spaces', '  between spaces', 'between spaces  '],
    case: ['casematters1x', 'CASEMATTERS1X'],
    composed: ['cafe\u0301 cafe\u0301'],
    ligature: ['fine fine fine'],
    long: [`${'x'.repeat(100)}2`, 'x'.repeat(100), `${'x'.repeat(72)}${'y'.repeat(29)}`, 'x'.repeat(72)],
    wide: [`${'\u{1f511}'.repeat(127)}b`, '\u{1f511}'.repeat(18)],
    tab: ['tab and line', 'tab\tand\r\nline'],
  }
  for (const [name, password] of Object.entries(passwords)) {
    t.equal((await register(name, password)).status, 201, name)
    t.equal(await login(name, password), 200, name)
    const wrong = await Promise.all(others[name as keyof typeof others].map(other => login(name, other)))
    t.same([...new Set(wrong)], [401], name)
  }
})

t.test('8 to 128 characters, counted as characters', async t => {
  for (const [i, password] of [
    'x7x7x7x',
    '\u{1f511}'.repeat(7),
    '\u{1f511}'.repeat(129),
    'y'.repeat(129),
    '',
    'a\0bcdefgh',
  ].entries())
    t.match(await register(`short${i}`, password), { status: 400, body: { code: 'invalid_request' } })
  for (const [i, password] of ['x7x7x7x7', '\u{1f511}'.repeat(8), '\u{1f511}'.repeat(128), 'z'.repeat(128)].entries())
    t.equal((await register(`right${i}`, password)).status, 201)
})

t.test('the passwords everybody tries are refused, however they are capitalised', async t => {
  for (const password of ['password', 'PassWord', '12345678', 'QWERTYUIOP', 'iloveyou', 'football'])
    t.match(await register('common', password), { status: 400, body: { code: 'invalid_request', message: /common/ } }, password)
  t.match(await admin.ask('PUT', '/me/password', { current_password: 'correct horse battery', new_password: 'password1' }), {
    status: 400,
    body: { message: /common/ },
  })
})

t.test('what is stored is argon2id at the stated cost, and neither the password nor a quick hash of it', async t => {
  await register('stored', 'a password to look for')
  const stored = await app.redis.hgetall(await userKey('stored'))
  t.match(stored.password, COST)
  t.notMatch(JSON.stringify(stored), 'to look for')
})

t.test('a hash made at another cost is replaced when its owner signs in, and only then', async t => {
  await register('older', 'a password of old')
  const key = await userKey('older')
  for (const password of ['a password of old', 'password']) {
    const cheap = await hash(password, { type: argon2id, memoryCost: 1024, timeCost: 2, parallelism: 1 })
    await app.redis.hset(key, 'password', cheap)
    t.equal(await login('older', 'not this one'), 401)
    t.equal(await app.redis.hget(key, 'password'), cheap)
    t.equal(await login('older', password), 200, 'even when it has become a common one')
    const renewed = await app.redis.hget(key, 'password')
    t.match(renewed, COST)
    t.equal(await login('older', password), 200)
    t.equal(await app.redis.hget(key, 'password'), renewed)
  }
})

t.test('an absent, a disabled and an existing name cost the same work, before the lock and behind it', async t => {
  const person = await register('working', 'a password that works')
  await register('resting', 'a password that rests')
  const resting = (await userKey('resting')).slice(6, -1)
  await admin.ask('PATCH', `/users/${resting}`, { disabled: true })
  t.equal(person.status, 201)
  let hashes = 0
  const locked = new Set<number>()
  let sent = 0
  const send = app.redis.sendCommand.bind(app.redis)
  app.redis.sendCommand = (command, ...more) => {
    if (String(command.args).includes('login')) sent += 1
    return send(command, ...more)
  }
  t.teardown(() => {
    app.redis.sendCommand = send
  })
  const commands = () => sent
  const counting = createHook({
    init: (_id, type) => {
      hashes += Number(/argon2/i.test(type))
    },
  }).enable()
  const counts: Record<string, number> = {}
  for (const [username, password] of [
    ['working', 'a wrong password'],
    ['resting', 'a wrong password'],
    ['resting', 'a password that rests'],
    ['nobody', 'a wrong password'],
  ] as const) {
    const before = hashes
    t.equal(await login(username, password), 401)
    counts[`${username} ${password}`] = hashes - before
  }
  t.same([...new Set(Object.values(counts))], [1], JSON.stringify(counts))

  const names = ['working', 'resting', 'nobody']
  await Promise.all(names.map(name => lockOut(() => login(name, 'a wrong password'))))
  const before = hashes
  for (const name of names) {
    for (const password of ['a wrong password', 'a password that works', 'a password that rests']) {
      const began = commands()
      t.equal(await login(name, password), 423)
      locked.add(commands() - began)
    }
  }
  t.equal(hashes, before, 'a locked name has nothing hashed')
  t.ok(sent > 0)
  t.equal(locked.size, 1, `and the same asked of Redis: ${[...locked]}`)
  counting.disable()
})

t.test('few are hashed at once, a bounded number wait, and the rest are sent away', async t => {
  const passwords = await openPasswords()
  const results = await Promise.allSettled(Array.from({ length: 210 }, () => passwords.matches('x', undefined)))
  const refused = results.filter(result => result.status === 'rejected')
  t.match(
    refused.map(({ reason }) => reason),
    refused.map(() => ({ code: 'unavailable', statusCode: 503 })),
  )
  t.ok(refused.length > 0 && refused.length <= 10, `${refused.length} of 210 refused`)
  t.equal(await passwords.matches('x', undefined), false, 'and then there is room again')
})
