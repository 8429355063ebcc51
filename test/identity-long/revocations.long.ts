import t from 'tap'
import { actsOf, held } from '../auth/acts.ts'
import { asking, house } from '../auth/house.ts'
import { verifier } from '../platform/verifier.ts'

const ROUNDS = 1000
/** After so many, auth is started once more on the same Redis and asked too. */
const RESTART_EVERY = 100
const REVOKED_MS_MAX = 1000

t.test('of a thousand revocations of every kind each is known everywhere within a second, and stays so', async t => {
  const home = await house(t)
  const { env, url, replica } = home
  const beside = await verifier(t, env, url)
  let latest = home.app
  const statuses = async (headers: Record<string, string>) => [
    (await asking(home.app, headers)('GET', '/me')).status,
    (await asking(latest, headers)('GET', '/me')).status,
    (await asking(beside, headers)('GET', '/who')).status,
  ]
  const acts = actsOf(home)
  const ended: Record<string, string>[] = []
  let longest = 0
  let wrong = 0
  for (let round = 0; round < ROUNDS; round++) {
    const { name, act, ends } = acts[round % acts.length] as (typeof acts)[number]
    const all = await held(home, `user${round}`)
    const credentials = [all.ada, all.second, all.key].map(({ headers }) => headers)
    for (const headers of credentials) await statuses(headers)
    if (round % RESTART_EVERY === 0) latest = await replica()
    await act(all)
    const began = performance.now()
    for (const [i, headers] of credentials.entries()) {
      const seen = await statuses(headers)
      const expected = ends[i] ? 401 : 200
      if (seen.some(status => status !== expected)) {
        wrong += 1
        t.fail(`${round} ${name}: credential ${i} is ${seen}, expected ${expected}`)
      }
      if (ends[i]) ended.push(headers)
    }
    longest = Math.max(longest, performance.now() - began)
  }
  t.equal(wrong, 0)
  t.ok(longest < REVOKED_MS_MAX, `asked ${ended.length} dead credentials everywhere, ${Math.round(longest)} ms at most`)
  latest = await replica()
  for (const headers of ended) if ((await asking(latest, headers)('GET', '/me')).status !== 401) t.fail('one came back to life')
})
