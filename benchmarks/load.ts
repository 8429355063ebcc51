// The whole under load: people who sign in, upload, search, ask and stream through the edge, more of them step by step, until it gives no more.
import { setTimeout as pause } from 'node:timers/promises'
import { parseArgs } from 'node:util'
import type { Stack } from '../deploy/stack.ts'
import { type Answer, onStack, percentile, progress, send, type Visitor, visitor } from './bench-stack.ts'
import { generator } from './clusters.ts'
import { type Row, report } from './report.ts'

const { values } = parseArgs({
  options: {
    users: { type: 'string', default: '32' },
    seconds: { type: 'string', default: '60' },
    seed: { type: 'string', default: '1' },
  },
})
const users = Number(values.users)
const seconds = Number(values.seconds)
/** Mean time between two requests of one person, in milliseconds. */
const THINKING_MS = 500
const PROGRESS_MS = 5_000
const topics = ['sluice', 'harbour', 'kiln', 'lighthouse', 'orchard', 'quarry', 'mill', 'bridge']

/** Less than this more for twice the people, and the machine gives no more. */
const MORE = 1.1
/** All limits are the default: everybody comes from an address of her own, of which the edge is told as by a proxy before it. */
const env = { TRUSTED_HOPS: '1' }
const addressOf = (number: number) => `10.1.${number >> 8}.${number & 255}`

interface Sample {
  route: string
  status: number
  ms: number
}
interface Step {
  users: number
  /** Good answers. */
  perSecond: number
  samples: Sample[]
}

const steps: Step[] = []
await onStack(env, async stack => {
  const people: Visitor[] = []
  for (let i = 0; i < users; i++) {
    const one = await visitor(stack.url, `user${i}`, addressOf(i))
    await one.add('start.txt', textOf(i, 0))
    people.push(one)
    if (people.length % 8 === 0) progress(`${people.length} of ${users} people are in`)
  }
  for (let count = Math.min(users, 2); ; count = Math.min(users, count * 2)) {
    steps.push(await step(stack, people.slice(0, count)))
    if (count === users) break
  }
})
const full = steps.findIndex(({ perSecond }, i) => (steps[i + 1]?.perSecond ?? Number.POSITIVE_INFINITY) < MORE * perSecond)
const worse = (steps[full + 1]?.perSecond ?? 0) < (steps[full]?.perSecond ?? 0)
report({
  name: 'load',
  claim: `People who sign in, upload, search, ask and stream at once are to be served without a failure; ${
    full < 0
      ? `up to the ${users} that were tried, this machine gets more done for more of them`
      : `at ${steps[full]?.users} of them this machine gives its most, for twice as many it gets ${worse ? 'less' : 'less than a tenth more'} done`
  }.`,
  setting: {
    users,
    seconds,
    thinkingMs: THINKING_MS,
    seed: Number(values.seed),
    limits: 'default',
    env,
  },
  rows: [...steps.flatMap(ofStep), ...routesOf(steps.at(-1) as Step)],
  notClaimed: 'a number of users for another machine; the people of this test share its cores with the stack.',
})

/** Each person acts on their own until the time is over. */
async function step(stack: Stack, people: Visitor[]): Promise<Step> {
  const samples: Sample[] = []
  const began = performance.now()
  const until = began + (seconds * 1000) / Math.ceil(Math.log2(Math.max(2, users)))
  const watch = setInterval(() => {
    const passed = (performance.now() - began) / 1000
    progress(`${people.length} people, ${passed.toFixed(0)} s: ${(samples.length / passed).toFixed(1)} requests/s`)
  }, PROGRESS_MS)
  await Promise.all(people.map((one, i) => live(stack.url, one, people.length * users + i, until, samples)))
  clearInterval(watch)
  const perSecond = samples.filter(isGood).length / ((performance.now() - began) / 1000)
  return { users: people.length, perSecond, samples }
}

/** `number` is another one for each person in each step, so that nobody says again what was said before. */
async function live(url: string, me: Visitor, number: number, until: number, samples: Sample[]) {
  const next = generator(Number(values.seed) * 1_000_000 + number)
  let refresh = me.refresh_token
  for (let turn = 0; performance.now() < until; turn++) {
    const dice = next()
    const topic = topics[Math.floor(next() * topics.length)]
    const acts: [number, string, () => Promise<Answer>][] = [
      [0.55, 'search', () => me.send('POST', '/rag/search', { query: `when was the ${topic} closed` })],
      [0.75, 'ask', () => me.send('POST', '/agent/query', { user_request: `When was the ${topic} closed?` })],
      [
        0.85,
        'stream',
        () => me.send('POST', '/agent/query', { user_request: `Who closed the ${topic}?` }, { accept: 'text/event-stream' }),
      ],
      [0.93, 'list', () => me.send('GET', '/rag/documents?limit=10')],
      [0.98, 'upload', () => me.send('POST', '/rag/documents', { title: `${number}-${turn}.txt`, text: textOf(number, turn) })],
      [0.99, 'refresh', () => send(`${url}/auth/refresh`, 'POST', { refresh_token: refresh }, me.from)],
      [1, 'sign in', () => me.signIn()],
    ]
    const [, route, act] = acts.find(([below]) => dice < below) as (typeof acts)[number]
    const answer = await act().catch(() => ({ status: 0, text: '', ms: 0 }))
    samples.push({ route, status: answer.status, ms: answer.ms })
    if ((route === 'refresh' || route === 'sign in') && answer.status === 200) {
      const session = JSON.parse(answer.text)
      refresh = session.refresh_token
      me.headers.authorization = `Bearer ${session.token}`
    }
    await pause(-Math.log(1 - next()) * THINKING_MS)
  }
  me.refresh_token = refresh
}

function ofStep({ users, perSecond, samples }: Step): Row[] {
  const good = samples.filter(isGood).map(({ ms }) => ms)
  const refused = samples.filter(({ status }) => status === 429).length
  return [
    { label: `${users} people`, value: rounded(perSecond), unit: 'requests/s' },
    { label: `${users} people, p50`, value: rounded(percentile(good, 0.5)), unit: 'ms' },
    { label: `${users} people, p99`, value: rounded(percentile(good, 0.99)), unit: 'ms' },
    {
      label: `${users} people, over their limit (429)`,
      value: rounded(refused / samples.length),
      unit: 'of requests',
      better: 'lower',
    },
    {
      label: `${users} people, failed`,
      value: rounded((samples.length - good.length - refused) / samples.length),
      unit: 'of requests',
      better: 'lower',
      wanted: 0,
    },
  ]
}

function routesOf({ users, samples }: Step): Row[] {
  return [...new Set(samples.map(({ route }) => route))].toSorted().flatMap(route => {
    const of = samples.filter(sample => sample.route === route)
    const good = of.filter(isGood).map(({ ms }) => ms)
    const codes = Map.groupBy(of, ({ status }) => status)
    const refusals = [...codes]
      .filter(([status]) => status === 0 || status >= 300)
      .map(([status, some]) => `${some.length} × ${status}`)
    const label = `${users} people, ${route}${refusals.length > 0 ? ` (${refusals.join(', ')})` : ''}`
    if (good.length === 0) return [{ label, value: 0, unit: 'answers' }]
    return [
      { label: `${label}, p50`, value: rounded(percentile(good, 0.5)), unit: 'ms' },
      { label: `${label}, p99`, value: rounded(percentile(good, 0.99)), unit: 'ms' },
    ]
  })
}

function isGood({ status }: Sample): boolean {
  return status >= 200 && status < 300
}

/** No two alike. */
function textOf(number: number, turn: number): string {
  const year = (i: number) => 1800 + ((number * 13 + i * 7) % 200)
  return `Note ${turn} of ${number}. ${topics.map((topic, i) => `The ${topic} was closed in ${year(i)} by keeper ${number % 50}.`).join(' ')}`
}

function rounded(value: number): number {
  return Number(value.toPrecision(4))
}
