// Replicas that leave, die and come back under load, real ones behind a real Envoy that nobody touches meanwhile.
import { setTimeout as pause } from 'node:timers/promises'
import t, { type Test } from 'tap'
import { healthOnce, person } from '../support/client.ts'
import type { Reply, Service } from './envoy.ts'
import { isFailure } from './refusals.ts'
import { type Replicas, startReplicas } from './replicas.ts'

const LIMITS = ['CALLER_PER_MIN', 'ADDRESS_PER_MIN', 'REGISTER_PER_5MIN', 'LOGIN_PER_MIN']
const limitless = Object.fromEntries(LIMITS.map(name => [`LIMIT_${name}`, '0']))
/** Requests a second of the load, and how many a test wants to see in each state before it goes on. */
const PER_S = 100
const ENOUGH = 50

/** A steady load of one request; `seen` counts its replies by status. */
function load(house: Replicas, path: string, headers: Record<string, string>) {
  const seen: Record<number, number> = {}
  const strange: unknown[] = []
  const refused: Reply[] = []
  const under = new Set<Promise<void>>()
  const timer = setInterval(() => {
    const asked = house.ask(path, { headers }).then(
      reply => {
        seen[reply.status] = (seen[reply.status] ?? 0) + 1
        if (reply.status !== 200) refused.push(reply)
      },
      error => void strange.push(error),
    )
    under.add(asked)
    asked.finally(() => under.delete(asked))
  }, 1000 / PER_S)
  return {
    seen,
    strange,
    refused,
    /** Waits until so many more replies had this status. */
    async more(status: number, count = ENOUGH) {
      const wanted = (seen[status] ?? 0) + count
      while ((seen[status] ?? 0) < wanted) await pause(20)
    },
    async end() {
      clearInterval(timer)
      await Promise.all(under)
    },
  }
}

t.test('two replicas of auth and agent, one of rag', async t => {
  const house = await startReplicas(t, limitless, ['auth', 'agent'])
  const ada = await person(house.url, 'ada')
  const headers = { authorization: `Bearer ${ada.token}` }

  await t.test('both are asked', async t => {
    for (const [service, path] of twice) {
      const before = await house.sent(service)
      await Promise.all(Array.from({ length: 60 }, () => house.ask(path, { headers })))
      const sent = (await house.sent(service)).map((count, i) => count - (before[i] ?? 0))
      t.equal(sent.length, 2, service)
      t.ok(
        sent.every(count => count > 5),
        `${service}: ${sent}`,
      )
    }
  })

  await t.test('a rolling restart fails no request', async t => {
    const loads = twice.map(([, path]) => load(house, path, headers))
    for (const replica of [0, 1] as const) {
      await Promise.all(
        twice.map(async ([service]) => {
          await house[service].stop(replica)
          await house[service].start(replica)
          await house.ready(service, 2)
        }),
      )
    }
    await Promise.all(loads.map(one => one.more(200)))
    await Promise.all(loads.map(one => one.end()))
    for (const [i, [service]] of twice.entries()) {
      t.strictSame(Object.keys(loads[i]?.seen ?? {}), ['200'], `${service}: ${loads[i]?.seen[200]} requests`)
      t.strictSame(loads[i]?.strange, [], service)
    }
  })

  await t.test('rag killed: only 503 in the failure body, the others serve, and it is found again untouched', t =>
    killed(t, house, headers),
  )
})

const twice: [Service, string][] = [
  ['auth', '/auth/me'],
  ['agent', '/agent/status'],
]

async function killed(t: Test, house: Replicas, headers: Record<string, string>) {
  const rag = load(house, '/rag/status', headers)
  const others = [load(house, '/auth/me', headers), load(house, '/agent/status', headers)]
  await rag.more(200)
  await house.rag.kill(0)
  await rag.more(503)
  const services = { auth: 'up', agent: 'up', rag: 'down' } as const
  t.match(await healthOnce(house.url, services), { status: 503, body: { status: 'degraded', services } })
  await house.rag.start(0)
  await rag.more(200)
  await Promise.all([rag, ...others].map(one => one.end()))

  t.strictSame(Object.keys(rag.seen), ['200', '503'], JSON.stringify(rag.seen))
  for (const reply of rag.refused) isFailure(t, reply, 'unavailable')
  t.ok(rag.refused.every(reply => reply.headers['retry-after'] === '1'))
  for (const { seen, strange } of [rag, ...others].slice(1)) {
    t.strictSame(Object.keys(seen), ['200'])
    t.strictSame(strange, [])
  }
  t.strictSame(rag.strange, [])
}
