// Uploads over real connections: forms that are malformed, broken off or too large leave nothing and hold nobody up.
import t from 'tap'
import { brokenOff, head, leftBehind, malformed, part, raw } from './forms.ts'
import { house, listening } from './house.ts'

const { app, person, dataDir } = await house(t, { FILE_BYTES_MAX: '1000000', UPLOAD_BYTES_MAX: '3000000' })
const ann = await person('ann')
const sender = { port: await listening(app), authorization: ann.headers.authorization }
const bob = await person('bob')
const codeOf = (reply: string) => /"code":"(\w+)"/.exec(reply)?.[1]

t.test('two hundred malformed forms: each is answered, none kills or hangs, none leaves a file', async t => {
  for await (const { body, reply } of malformed(sender, 200))
    t.match(reply, /^HTTP\/1\.1 (200|202|400|413|415|422) /, JSON.stringify(body.toString('latin1')))
  t.same(await leftBehind(dataDir), [])
  t.equal((await app.inject('/health')).statusCode, 200)
})

t.test('a hundred uploads that break off: no handler waits, no file stays', async t => {
  await brokenOff(sender, dataDir, 100)
  t.equal((await ann.send('GET', '/documents?name=big.txt')).body.documents.length, 0)
  t.equal((await app.inject('/health')).statusCode, 200)
})

t.test(
  'a file over the limit is refused by itself, everything over the limit all together, with and without a length',
  async t => {
    const large = `${part('large.txt', 'x'.repeat(1_000_001))}--b--\r\n`
    t.match(codeOf(await raw(sender, [head(sender, large.length), large])), 'too_large')
    const chunked = (body: string) => [head(sender, 'chunked'), `${body.length.toString(16)}\r\n`, body, '\r\n0\r\n\r\n']
    t.match(codeOf(await raw(sender, chunked(large))), 'too_large')
    const mixed = `${part('large.txt', 'x'.repeat(1_000_001))}${part('small.txt', 'small enough')}--b--\r\n`
    t.match(await raw(sender, [head(sender, mixed.length), mixed]), /202 Accepted[\s\S]*"code":"too_large"[\s\S]*small\.txt/)
    const many = `${Array.from({ length: 4 }, (_, i) => part(`${i}.txt`, `${i}`.repeat(900_000))).join('')}--b--\r\n`
    t.match(await raw(sender, chunked(many)), /^HTTP\/1\.1 413/)
    t.match(await raw(sender, [head(sender, 10_000_000)]), /^HTTP\/1\.1 413/, 'by the length alone, before anything is read')
    const crowd = `${Array.from({ length: 101 }, (_, i) => part(`${i}.txt`, `${i}`)).join('')}--b--\r\n`
    t.match(await raw(sender, [head(sender, crowd.length), crowd]), /^HTTP\/1\.1 413/)
    t.same(await leftBehind(dataDir), [])
  },
)

t.test('a stream of events is told as it happens, and ends when the client leaves or the service closes', async t => {
  const { body } = await ann.upload({
    'long.txt': Array.from({ length: 1500 }, (_, i) => `Line ${i} tells about harbour number ${i}.`).join('\n\n'),
  })
  const [{ job_id }] = body.documents
  const reply = await fetch(`http://127.0.0.1:${sender.port}/jobs/${job_id}/events`, { headers: ann.headers })
  t.match(reply.headers.get('content-type'), 'text/event-stream')
  const events = (await reply.text())
    .trimEnd()
    .split('\n\n')
    .filter(event => !event.startsWith(':'))
  const ids = events.map(event => Number(/^id: (\d+)/.exec(event)?.[1]))
  t.same(
    ids,
    ids.map((_, i) => i + 1),
  )
  const stages = events.map(event => JSON.parse(/^data: (.*)$/m.exec(event)?.[1] ?? '{}').stage)
  t.ok(stages.includes('embedding'))
  t.equal(stages.at(-1), 'ready')
  t.match(events.at(-1), /^event: ready$/m)
  t.ok(events.slice(0, -1).every(event => /^event: progress$/m.test(event)))
})

t.test('one user can follow as many jobs as she sends at once and no more, and others still find room', async t => {
  const jobOf = async (user: typeof ann) =>
    (await user.upload({ 'own.txt': Array.from({ length: 3000 }, (_, i) => `${user.user_id} ${i} is long.`).join('\n\n') })).body
      .documents[0].job_id
  const leaving = new AbortController()
  t.teardown(() => leaving.abort())
  const follow = (user: typeof ann, job: string) =>
    fetch(`http://127.0.0.1:${sender.port}/jobs/${job}/events`, { headers: user.headers, signal: leaving.signal })
  const [own, others] = [await jobOf(ann), await jobOf(bob)]
  const streams = await Promise.all(Array.from({ length: 100 }, () => follow(ann, own)))
  t.ok(streams.every(({ status }) => status === 200))
  const refused = await follow(ann, own)
  t.match([refused.status, refused.headers.get('retry-after')], [429, '5'])
  t.match(await refused.json(), { code: 'rate_limited', message: /^You follow 100 jobs already; end one/ })
  t.equal((await follow(bob, others)).status, 200)
  await streams[0]?.body?.cancel()
  let again = refused
  while (again.status === 429) again = await follow(ann, own)
  t.equal(again.status, 200)
})
