// Budgets hold to the token, however many ask at once and however they end.
import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { join } from 'node:path'
import { setTimeout as pause } from 'node:timers/promises'
import t, { type Test } from 'tap'
import { openBudget } from '../../src/agent/budget.ts'
import { privateRedis } from '../support/redis.ts'
import { auth, environment, signedIn } from '../support/services.ts'

const server = await privateRedis(t)
const { app } = await auth(t, environment(server))
const { redis } = app
const person = async (name: string) => (await signedIn(app, name)).user_info.user_id
const today = () => new Date().toISOString().slice(0, 10)

interface Asking {
  user: string
  times: number
  tokens: number
  budget: number
  leaseMs: number
}

/** Another process that reserves and holds; gives how many reservations it got, and how to kill it. */
async function reserver(t: Test, { user, times, tokens, budget, leaseMs }: Asking) {
  const asked = { USER: user, TIMES: `${times}`, TOKENS: `${tokens}`, BUDGET: `${budget}`, LEASE_MS: `${leaseMs}` }
  const child = spawn(process.execPath, [join(import.meta.dirname, 'reserver.ts')], {
    env: { PATH: process.env.PATH, REDIS_URL: server.url, ...asked },
    stdio: ['ignore', 'pipe', 'inherit'],
  })
  const gone = once(child, 'exit')
  async function kill() {
    child.kill('SIGKILL')
    await gone
  }
  t.teardown(kill)
  const [line] = await once(child.stdout, 'data')
  return { got: Number(line), kill }
}

t.test('two hundred requests of several processes at once get exactly what there is', async t => {
  const user = await person('ada')
  const asking = { user, times: 100, tokens: 7, budget: 100, leaseMs: 60_000 }
  const all = await Promise.all([reserver(t, asking), reserver(t, asking)])
  t.equal(
    all.reduce((sum, { got }) => sum + got, 0),
    14,
    '14 × 7 fit in 100, 15 × 7 do not',
  )
  t.match(await openBudget(redis, { tokensMax: 100 }).usage(user), { used: 0, reserved: 98, left: 2 })
})

t.test('what a killed process had reserved comes back', async t => {
  const user = await person('bea')
  const budget = openBudget(redis, { tokensMax: 100 })
  const living = await budget.reserve(user, 1)
  const { got, kill } = await reserver(t, { user, times: 10, tokens: 10, budget: 100, leaseMs: 1500 })
  t.equal(got, 9)
  await kill()
  while ((await budget.usage(user)).reserved > 1) await pause(25)
  t.match(await budget.usage(user), { used: 0, left: 99 })
  await living.settle(0)
  await (await budget.reserve(user, 100)).settle(100)
  t.match(await budget.usage(user), { used: 100, reserved: 0, left: 0 })
})

t.test('a lease is settled once, by what was used, and never by more than it reserved', async t => {
  const user = await person('cyn')
  const budget = openBudget(redis, { tokensMax: 100 })
  const [one, two] = [await budget.reserve(user, 40), await budget.reserve(user, 60)]
  await t.rejects(budget.reserve(user, 1), { code: 'rate_limited' })
  await Promise.all([one.settle(10), one.settle(10)])
  t.match(await budget.usage(user), { used: 10, reserved: 60, left: 30 })
  await two.settle(1_000_000)
  t.match(await budget.usage(user), {
    tokens_per_day: 100,
    used: 70,
    reserved: 0,
    left: 30,
    days: [{ date: today(), tokens: 70 }],
  })
})

t.test('a refusal says when to ask again: soon when tokens are only reserved, tomorrow when they are used', async t => {
  const user = await person('dot')
  const budget = openBudget(redis, { tokensMax: 100 })
  const refused = async (tokens: number) => {
    const error = await budget.reserve(user, tokens).then(
      () => undefined,
      failure => failure,
    )
    return Number(error?.extras.headers['retry-after'])
  }
  const lease = await budget.reserve(user, 90)
  t.equal(await refused(50), 5)
  await lease.settle(90)
  const midnight = (Date.parse((await budget.usage(user)).resets_at) - Date.now()) / 1000
  t.ok(Math.abs((await refused(50)) - midnight) < 60)
  await (await budget.reserve(user, 10)).settle(10)
})

t.test('a lease that ran out before it was settled takes no more than is left', async t => {
  const user = await person('eva')
  const budget = openBudget(redis, { tokensMax: 100, leaseMs: 1 })
  const lease = await budget.reserve(user, 60)
  while ((await budget.usage(user)).reserved > 0) await pause(5)
  const whole = openBudget(redis, { tokensMax: 100 })
  await (await whole.reserve(user, 80)).settle(80)
  await lease.settle(60)
  t.match(await whole.usage(user), { used: 100, left: 0 })
})

t.test('without a budget everything is counted and nothing refused; an erased user leaves nothing', async t => {
  const user = await person('fay')
  const budget = openBudget(redis, { tokensMax: 0 })
  await (await budget.reserve(user, 1_000_000_000)).settle(123)
  t.match(await budget.usage(user), { tokens_per_day: null, used: 123, left: null })
  const lease = await budget.reserve(user, 50)
  await redis.del(`user:{${user}}`)
  await budget.forget(user)
  await lease.settle(50)
  await t.rejects(budget.reserve(user, 1), { code: 'unauthenticated' })
  t.same(await redis.keys(`usage:{${user}}*`), [])
})
