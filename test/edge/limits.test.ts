// The exact limits, counted at the edge over two real replicas of each service: so many pass, the next is refused, whoever answers.
import t, { type Test } from 'tap'
import type { Reply, Service } from './envoy.ts'
import { isFailure } from './refusals.ts'
import { startReplicas } from './replicas.ts'

const MAX = {
  LIMIT_CALLER_PER_MIN: 24,
  LIMIT_ADDRESS_PER_MIN: 18,
  LIMIT_REGISTER_PER_5MIN: 6,
  LIMIT_LOGIN_PER_MIN: 12,
  LIMIT_LOGIN_ACCOUNT_PER_MIN: 8,
  LIMIT_UPLOAD_PER_MIN: 6,
  LIMIT_AGENT_PER_MIN: 6,
  LIMIT_RAG_QUERY_PER_MIN: 6,
}
const password = 'correct horse battery'

const env = Object.fromEntries(Object.entries(MAX).map(([name, max]) => [name, String(max)]))
const services: Service[] = ['auth', 'agent', 'rag']
const house = await startReplicas(t, env, services)
const sentBefore = await Promise.all(services.map(house.sent))

let addresses = 0
/** A loopback address nobody came from before; the edge tells it to the services. */
const fresh = () => `127.0.1.${++addresses}`

interface Question {
  path: string
  method?: string
  headers?: Record<string, string>
  body?: object
  from?: string
}

const ask = ({ path, method = 'POST', headers, body, from }: Question): Promise<Reply> =>
  house.ask(path, {
    method,
    localAddress: from,
    headers: { ...headers, ...(body && { 'content-type': 'application/json' }) },
    body: body && JSON.stringify(body),
  })

/** Asks `max` times and twice more: just the first pass, whichever replica is asked. */
async function countsTo(t: Test, max: number, question: (i: number) => Question) {
  for (let i = 1; i <= max; i++) {
    const reply = await ask(question(i))
    t.notMatch(reply.status, /^(429|5..)$/, `${i} of ${max}: ${reply.status} ${reply.text.slice(0, 200)}`)
    t.match(reply.headers, { 'ratelimit-limit': /^\d+$/, 'ratelimit-remaining': /^\d+$/, 'ratelimit-reset': /^\d+$/ })
  }
  for (const i of [max + 1, max + 2]) {
    const reply = await ask(question(i))
    isFailure(t, reply, 'rate_limited', `${i} of ${max}`)
    t.match(reply.headers, { 'retry-after': /^[1-9]\d*$/, 'ratelimit-limit': String(max), 'ratelimit-remaining': '0' })
    t.equal(reply.headers['ratelimit-reset'], reply.headers['retry-after'])
  }
}

/** The token of somebody who signed up from an address of her own. */
async function someone(name: string): Promise<string> {
  const [from, body] = [fresh(), { username: name, password }]
  await ask({ path: '/auth/register', body, from })
  return String((await ask({ path: '/auth/login', body, from })).json.token)
}

t.test('LIMIT_REGISTER_PER_5MIN', async t => {
  const from = fresh()
  const body = (i: number) => ({ username: `new${i}`, password })
  await countsTo(t, MAX.LIMIT_REGISTER_PER_5MIN, i => ({ path: '/auth/register', body: body(i), from }))
})

t.test('LIMIT_LOGIN_PER_MIN, by address', async t => {
  const from = fresh()
  const body = (i: number) => ({ username: `nobody${i}`, password })
  await countsTo(t, MAX.LIMIT_LOGIN_PER_MIN, i => ({ path: '/auth/login', body: body(i), from }))
})

t.test('LIMIT_LOGIN_ACCOUNT_PER_MIN, by name, from wherever', async t => {
  await someone('ada')
  // Signing in once above counted too; from her own address she would have a count of her own.
  const left = MAX.LIMIT_LOGIN_ACCOUNT_PER_MIN - 1
  const statuses: number[] = []
  for (let i = 0; i < left + 2; i++) {
    const reply = await ask({ path: '/auth/login', body: { username: 'ada', password }, from: fresh() })
    statuses.push(reply.status)
    if (reply.status === 429) {
      isFailure(t, reply, 'rate_limited')
      t.match(reply.headers, { 'retry-after': /^[1-9]\d*$/, 'ratelimit-remaining': '0' })
    }
  }
  t.strictSame(statuses, [...Array(left).fill(200), 429, 429])
})

t.test('LIMIT_ADDRESS_PER_MIN, without a token, at all services together', async t => {
  const from = fresh()
  const body = { refresh_token: 'x'.repeat(43) }
  await countsTo(t, MAX.LIMIT_ADDRESS_PER_MIN, () => ({ path: '/auth/refresh', body, from }))
})

t.test('LIMIT_CALLER_PER_MIN, at all services together', async t => {
  const headers = { authorization: `Bearer ${await someone('bea')}` }
  const paths = ['/auth/me', '/agent/status', '/rag/status']
  await countsTo(t, MAX.LIMIT_CALLER_PER_MIN, i => ({ path: String(paths[i % 3]), method: 'GET', headers }))
})

for (const [variable, path, body] of [
  ['LIMIT_UPLOAD_PER_MIN', '/rag/documents', (i: number) => ({ title: `t${i}`, text: `A text, number ${i}.` })],
  ['LIMIT_RAG_QUERY_PER_MIN', '/rag/query', () => ({ query: 'a text' })],
  ['LIMIT_AGENT_PER_MIN', '/agent/query', () => ({ user_request: 'Hello?', mode: 'chat' })],
] as const) {
  t.test(`${variable}, by caller`, async t => {
    const headers = { authorization: `Bearer ${await someone(variable.toLowerCase().slice(6, 14))}` }
    await countsTo(t, MAX[variable], i => ({ path, body: body(i), headers }))
  })
}

t.test('of each service both replicas had a part in it', async t => {
  for (const [at, service] of services.entries()) {
    const sent = (await house.sent(service)).map((count, i) => count - (sentBefore[at]?.[i] ?? 0))
    t.ok(sent.length === 2 && sent.every(count => count > 0), `${service}: ${sent}`)
  }
})
