// How long open streams outlive their credential, measured.
import t from 'tap'
import { actsOf, held } from '../auth/acts.ts'
import { house, until } from '../auth/house.ts'
import { endlessStreams, type Followed, type Kind } from '../platform/endless.ts'

const ENDED_MS_MAX = 5000
const ROUNDS = 5

t.test('whatever ends a credential ends its open streams within five seconds, and no other', async t => {
  const home = await house(t)
  const streams = await endlessStreams(t, home.env, home.url)
  let count = 0
  let longest = 0
  for (const [i, { name, act, ends }] of Array.from({ length: ROUNDS }, () => actsOf(home))
    .flat()
    .entries()) {
    const all = await held(home, `user${i}`)
    const followed: { stream: Followed; dies: boolean }[] = []
    for (const [j, { headers }] of [all.ada, all.second, all.key].entries()) {
      for (const kind of ['busy', 'silent'] satisfies Kind[])
        followed.push({ stream: await streams.follow(kind, headers), dies: ends[j] === true })
    }
    await act(all)
    const began = performance.now()
    const dying = followed.filter(({ dies }) => dies)
    await until(() => dying.every(({ stream }) => stream.over !== undefined))
    for (const { stream } of dying) longest = Math.max(longest, (stream.over ?? 0) - began)
    count += dying.length
    t.ok(
      followed.every(({ stream, dies }) => dies || stream.over === undefined),
      `${name}: the others go on`,
    )
  }
  t.ok(longest <= ENDED_MS_MAX, `${count} streams ended, ${Math.round(longest)} ms after their credential at most`)
})
