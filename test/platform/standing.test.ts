// Replies that go on for long: each ends when its caller is signed out, and goes on as long as she is not.
import t from 'tap'
import { held } from '../auth/acts.ts'
import { house, until } from '../auth/house.ts'
import { endlessStreams } from './endless.ts'

const home = await house(t)
const streams = await endlessStreams(t, home.env, home.url)

t.test('an open stream ends when its session or key ends, be it busy, silent, or not read at all', async t => {
  const { ada, second, key } = await held(home, 'ada')
  const ended = [
    await streams.follow('busy', second.headers),
    await streams.follow('silent', second.headers),
    await streams.follow('busy', key.headers),
  ]
  const stuck = await streams.follow('stuck', second.headers)
  const kept = await streams.follow('busy', ada.headers)
  t.same([...new Set([...ended, stuck, kept].map(({ status }) => status))], [200])
  await ada.ask('DELETE', `/sessions/${second.session_id}`)
  await ada.ask('DELETE', `/api-keys/${key.id}`)
  await until(() => streams.open() === 1)
  await until(() => ended.every(({ over }) => over !== undefined))
  t.ok(
    ended.every(({ whole }) => whole),
    'those that end by themselves are not cut',
  )
  t.equal(kept.over, undefined, 'another session of hers goes on')
  await ada.ask('POST', '/logout')
  await until(() => kept.over !== undefined && streams.open() === 0)
})

t.test('a stream outlives a Redis that is silent now and then, for as long as one look each time', async t => {
  const { ada } = await held(home, 'zoe')
  const stream = await streams.follow('busy', ada.headers)
  for (let time = 0; time < 3; time++) {
    const { answered, unanswered } = streams.looks
    await home.redis.stop()
    await until(() => streams.looks.unanswered > unanswered)
    await home.redis.start()
    await until(() => streams.looks.answered > answered)
  }
  t.equal(stream.over, undefined)
})

t.test('a stream does not outlive a Redis that can no longer say who is signed in', async t => {
  const { ada } = await held(home, 'eve')
  const stream = await streams.follow('busy', ada.headers)
  await home.redis.stop()
  await until(() => stream.over !== undefined)
  await home.redis.start()
  t.ok(stream.over)
})
