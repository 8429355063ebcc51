// Uploads over real connections: forms that are malformed, broken off or too large leave nothing and hold nobody up.
import { readdir } from 'node:fs/promises'
import { connect } from 'node:net'
import { join } from 'node:path'
import t from 'tap'
import { house, listening } from './house.ts'

const { app, person, dataDir } = await house(t, { FILE_BYTES_MAX: '1000000', UPLOAD_BYTES_MAX: '3000000' })
const ann = await person('ann')
const port = await listening(app)
const leftBehind = async () => (await readdir(join(dataDir, 'tmp'))).filter(name => name.startsWith('in-'))

/** Sends bytes as they are, pieces one after the other, and gives what comes back until the other side ends; `cut` ends it first. */
function raw(pieces: (string | Buffer)[], cut = false): Promise<string> {
  return new Promise(resolve => {
    const socket = connect(port, '127.0.0.1')
    let reply = ''
    socket.on('data', part => (reply += part))
    socket.on('close', () => resolve(reply))
    socket.on('error', () => {})
    const write = async () => {
      for (const piece of pieces) {
        socket.write(piece)
        await new Promise(setImmediate)
      }
      if (cut) socket.destroy()
    }
    socket.on('connect', write)
  })
}

const head = (length: number | 'chunked', boundary = 'b') =>
  [
    'POST /documents HTTP/1.1',
    'host: rag',
    'connection: close',
    `authorization: ${ann.headers.authorization}`,
    `content-type: multipart/form-data; boundary=${boundary}`,
    length === 'chunked' ? 'transfer-encoding: chunked' : `content-length: ${length}`,
    '\r\n',
  ].join('\r\n')
const part = (name: string, content: string) =>
  `--b\r\nContent-Disposition: form-data; name="file"; filename="${name}"\r\n\r\n${content}\r\n`
const codeOf = (reply: string) => /"code":"(\w+)"/.exec(reply)?.[1]

/** Small numbers that repeat. */
function dice(seed: number) {
  let state = seed
  return (below: number) => {
    state = (Math.imul(state, 1_103_515_245) + 12_345) >>> 0
    return (state >>> 8) % below
  }
}

t.test('two hundred malformed forms: each is answered, none kills or hangs, none leaves a file', async t => {
  const whole = `${part('a.txt', 'some text')}${part('b.txt', 'other text')}--b--\r\n`
  const throwOf = dice(7)
  for (let i = 0; i < 200; i++) {
    const bytes = Buffer.from(whole)
    for (let hit = 0; hit <= throwOf(6); hit++) bytes[throwOf(bytes.length)] = throwOf(256)
    const body = bytes.subarray(0, throwOf(3) === 0 ? throwOf(bytes.length) : bytes.length)
    const reply = await raw([head(body.length), body])
    t.match(reply, /^HTTP\/1\.1 (200|202|400|413|415|422) /, `${i}: ${JSON.stringify(body.toString('latin1'))}`)
  }
  t.same(await leftBehind(), [])
  t.equal((await app.inject('/health')).statusCode, 200)
})

t.test('a hundred uploads that break off: no handler waits, no file stays', async t => {
  const throwOf = dice(11)
  const body = `${part('big.txt', 'x'.repeat(200_000))}--b--\r\n`
  const breaks = Array.from({ length: 100 }, (_, i) => {
    const sent = body.slice(0, throwOf(body.length))
    const half = Math.floor(sent.length / 2)
    return i % 2
      ? raw([head(body.length), sent.slice(0, half), sent.slice(half)], true)
      : raw([head('chunked'), `${sent.length.toString(16)}\r\n${sent}`], true)
  })
  await Promise.all(breaks)
  for (let files = await leftBehind(); files.length > 0; files = await leftBehind()) await new Promise(setImmediate)
  t.equal((await ann.send('GET', '/documents?name=big.txt')).body.documents.length, 0)
  t.equal((await app.inject('/health')).statusCode, 200)
})

t.test(
  'a file over the limit is refused by itself, everything over the limit all together, with and without a length',
  async t => {
    const large = `${part('large.txt', 'x'.repeat(1_000_001))}--b--\r\n`
    t.match(codeOf(await raw([head(large.length), large])), 'too_large')
    const chunked = (body: string) => [head('chunked'), `${body.length.toString(16)}\r\n`, body, '\r\n0\r\n\r\n']
    t.match(codeOf(await raw(chunked(large))), 'too_large')
    const mixed = `${part('large.txt', 'x'.repeat(1_000_001))}${part('small.txt', 'small enough')}--b--\r\n`
    t.match(await raw([head(mixed.length), mixed]), /202 Accepted[\s\S]*"code":"too_large"[\s\S]*small\.txt/)
    const many = `${Array.from({ length: 4 }, (_, i) => part(`${i}.txt`, `${i}`.repeat(900_000))).join('')}--b--\r\n`
    t.match(await raw(chunked(many)), /^HTTP\/1\.1 413/)
    t.match(await raw([head(10_000_000)]), /^HTTP\/1\.1 413/, 'by the length alone, before anything is read')
    const crowd = `${Array.from({ length: 101 }, (_, i) => part(`${i}.txt`, `${i}`)).join('')}--b--\r\n`
    t.match(await raw([head(crowd.length), crowd]), /^HTTP\/1\.1 413/)
    t.same(await leftBehind(), [])
  },
)

t.test('a stream of events is told as it happens, and ends when the client leaves or the service closes', async t => {
  const { body } = await ann.upload({
    'long.txt': Array.from({ length: 400 }, (_, i) => `Line ${i} tells about harbour number ${i}.`).join('\n\n'),
  })
  const [{ job_id }] = body.documents
  const reply = await fetch(`http://127.0.0.1:${port}/jobs/${job_id}/events`, { headers: ann.headers })
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
