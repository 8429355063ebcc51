import t, { type Test } from 'tap'
import { openGuesses } from '../../src/auth/guesses.ts'
import { password } from '../support/services.ts'
import { type Answer, house, lockOut, until } from './house.ts'

const { app, ask, admin, person, replica } = await house(t)
const WRONG = 'not the right password'

/** Signs in as if from `address`, which the trusted proxy on loopback names. */
const login = (username: string, secret: string, address = '198.51.100.1') =>
  ask('POST', '/login', { username, password: secret }, { headers: { 'x-forwarded-for': address } })

/** An answer without what must differ: its request id, and what the clock shows. */
function bare({ status, body, headers }: Answer) {
  const { 'x-request-id': _id, date: _date, 'retry-after': _after, ...rest } = headers
  return { status, headers: { ...rest, after: 'retry-after' in headers }, body: { ...body, request_id: '' } }
}

const lock = (username: string, address?: string) => lockOut(() => login(username, WRONG, address))

async function allAlike(t: Test, answers: Answer[], status: number) {
  for (const answer of answers) t.same(bare(answer), bare(answers[0] as Answer))
  t.equal(answers[0]?.status, status)
}

t.test('existing, disabled and absent names are answered alike, before the lock and after it, whatever the password', async t => {
  const resting = await person('resting')
  await person('working')
  await admin.ask('PATCH', `/users/${resting.user_id}`, { disabled: true })
  const names = ['working', 'resting', 'nobody', 'WORKING', 'NoBody']
  await allAlike(t, [...(await Promise.all(names.map(name => login(name, WRONG)))), await login('resting', password)], 401)
  await Promise.all(names.slice(0, 3).map(name => lock(name)))
  const locked = await Promise.all([
    ...names.map(name => login(name, WRONG)),
    login('working', password),
    login('resting', password),
  ])
  await allAlike(t, locked, 423)
  for (const { headers, body } of locked) {
    t.ok(Number(headers['retry-after']) >= 1)
    t.equal(body.code, 'locked')
  }
  const told = await admin.ask('GET', '/audit?action=login&outcome=denied&limit=200')
  t.ok(told.body.events.some(({ detail }: { detail?: string }) => detail === 'too many attempts'))
})

t.test('nobody can lock the owner out: where she signed in before she still may, and what she has open stays open', async t => {
  const home = '203.0.113.7'
  const ada = await person('ada')
  t.equal((await login('ada', password, home)).status, 200)
  await lock('ada', '192.0.2.66')
  t.equal((await login('ada', password, '192.0.2.77')).status, 423, 'from anywhere else the right password waits too')
  t.equal((await login('ada', password, home)).status, 200)
  t.equal((await ada.ask('GET', '/me')).status, 200)
  await lock('ada', home)
  t.equal((await login('ada', password, home)).status, 423, 'but even there one cannot guess without end')
})

t.test('each further failure locks for twice as long, up to a quarter of an hour, and success forgets', async t => {
  const guesses = openGuesses(app.redis, 0)
  const key = 'login:{name:growing}:failures'
  const locks: number[] = []
  const slow: Promise<void>[] = []
  for (let count = 1; count <= 17; count++) {
    const attempt = await guesses.attempt('growing', '192.0.2.1')
    slow.push(attempt.failed())
    await until(async () => Number(await app.redis.hget(key, 'count')) === count)
    const [seconds, micros] = await app.redis.time()
    locks.push(Math.round(Number(await app.redis.hget(key, 'locked_until')) / 1000 - Number(seconds) - Number(micros) / 1e6))
    await app.redis.hset(key, 'locked_until', 0)
  }
  await Promise.all(slow)
  const expected = [2, 4, 8, 16, 32, 64, 128, 256, 512, 900, 900, 900]
  t.ok(locks.slice(0, 5).every(left => left < 0))
  for (const [i, left] of locks.slice(5).entries()) t.ok(Math.abs(left - Number(expected[i])) <= 1, `${left} s`)
  await (await guesses.attempt('growing', '192.0.2.1')).succeeded()
  t.equal(await app.redis.exists(key), 0)
})

t.test('names that are only tried are soon forgotten, those that are locked are not', async t => {
  const guesses = openGuesses(app.redis, 0)
  const kept = async () => {
    const keys = await app.redis.keys('login:{name:tried}*')
    return Math.max(...(await Promise.all(keys.map(key => app.redis.pttl(key)))))
  }
  const slow: Promise<void>[] = []
  for (let count = 1; count <= 6; count++) {
    slow.push((await guesses.attempt('tried', '192.0.2.1')).failed())
    await until(async () => Number(await app.redis.hget('login:{name:tried}:failures', 'count')) === count)
    const hours = (await kept()) / 3_600_000
    t.ok(count <= 5 ? hours > 0 && hours <= 1 : hours > 23, `after ${count} failures, ${hours} hours`)
  }
  await Promise.all(slow)
})

t.test('attempts on one name are counted wherever they come from, and alike for a name nobody has', async t => {
  const counted = await replica({ LIMIT_LOGIN_ACCOUNT_PER_MIN: '3' })
  await ask('POST', '/register', { username: 'counted', password })
  for (const username of ['counted', 'uncounted']) {
    const from = (i: number, secret: string) =>
      counted.inject({
        method: 'POST',
        url: '/login',
        payload: { username: i % 2 ? username : username.toUpperCase(), password: secret },
        headers: { 'x-forwarded-for': `192.0.2.${i}` },
      })
    const first = await Promise.all([from(1, WRONG), from(2, WRONG), from(3, WRONG)])
    t.same(
      first.map(({ statusCode }) => statusCode),
      [401, 401, 401],
    )
    const more = await from(4, password)
    t.equal(more.statusCode, 429)
    t.match(more.json(), { code: 'rate_limited' })
    t.match(more.headers, {
      'retry-after': /^\d+$/,
      'ratelimit-limit': '3',
      'ratelimit-remaining': '0',
      'ratelimit-reset': /^\d+$/,
    })
  }
})

t.test('the address is the last hop the proxy names, and no hop at all from a stranger', async t => {
  const seen = async (forwarded: string, remoteAddress: string) => {
    const more = { headers: { 'x-forwarded-for': forwarded, forwarded: 'for=9.9.9.9', 'x-real-ip': '9.9.9.9' }, remoteAddress }
    const { body } = await ask('POST', '/login', { username: 'hops', password }, more)
    const sessions = await ask('GET', '/sessions', undefined, { headers: { authorization: `Bearer ${body.token}` } })
    return sessions.body.sessions[0].address
  }
  await person('hops')
  t.equal(await seen('198.51.100.7', '127.0.0.1'), '198.51.100.7')
  t.equal(await seen('6.6.6.6, 7.7.7.7, 198.51.100.8', '127.0.0.1'), '198.51.100.8')
  t.equal(await seen('127.0.0.1, 198.51.100.9', '::1'), '198.51.100.9')
  t.equal(await seen('6.6.6.6, 127.0.0.1', '127.0.0.1'), '127.0.0.1', 'one hop, whoever it names')
  t.equal(await seen('198.51.100.7', '203.0.113.50'), '203.0.113.50')
  t.equal(await seen('198.51.100.7', '::ffff:127.0.0.1'), '198.51.100.7', 'loopback as IPv6 writes it')
})

t.test('a forged X-Forwarded-For moves no limit, and a whole /64 is one address', async t => {
  const limited = await replica({ LIMIT_LOGIN_PER_MIN: '3' })
  const from = async (forwarded: string, i: number) =>
    (
      await limited.inject({
        method: 'POST',
        url: '/login',
        payload: { username: `forger${i}`, password: WRONG },
        headers: { 'x-forwarded-for': forwarded },
      })
    ).statusCode
  const forged = []
  for (let i = 0; i < 5; i++) forged.push(await from(`10.0.0.${i}, 2001:db8::${i}, 198.51.100.40`, i))
  t.same(forged, [401, 401, 401, 429, 429])
  const six = []
  for (let i = 0; i < 5; i++) six.push(await from(`2001:db8:1:1::${i}`, 10 + i))
  t.same(six, [401, 401, 401, 429, 429])
  t.equal(await from('2001:db8:1:2::1', 20), 401, 'the next /64 is another')
})
