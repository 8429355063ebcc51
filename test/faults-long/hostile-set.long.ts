// Every hostile file goes through the whole service: none ends it or holds it up, each document ends as it must with a sentence, nothing
// stays behind.
import { readdir } from 'node:fs/promises'
import { join } from 'node:path'
import t from 'tap'
import { archives } from '../extract/hostile/archives.ts'
import { pdfs } from '../extract/hostile/pdfs.ts'
import type { Hostile } from '../extract/hostile/set.ts'
import { others } from '../extract/hostile/texts.ts'
import { whileAsking } from '../rag/health.ts'
import { house, listening } from '../rag/house.ts'

const { app, person, dataDir } = await house(t, { RAG_CHUNK_SIZE: '256' })
const ann = await person('ann')
/** Files sent at once, each again when the one before has ended. */
const AT_ONCE = 2
/** Longest until a document has ended, in milliseconds. */
const ENDS_MS_MAX = 10_000
/** Longest that /health may take while hostile files are read, at the 99th percentile, in milliseconds. */
const HEALTH_MS_MAX = 100
/** Paths, stacks and names of our own are nothing for a sentence. */
const inside = /\/(src|tmp|home|work|node_modules)\/|node:|\bat \w+ \(|undefined|\[object/

interface End {
  file: Hostile
  id?: string
  /** `ready`, or the failure's code with its sentence. */
  end: string
  message: string
  ms: number
}

/** Sends a file and waits for its document to end. */
async function endOf(file: Hostile): Promise<End> {
  const began = performance.now()
  const { status, body } = await ann.upload({ [file.name]: file.bytes })
  const ms = () => performance.now() - began
  if (status !== 202 && status !== 200) return { file, end: body.code, message: body.message, ms: ms() }
  const [{ id, job_id }] = body.documents
  const job = await ann.ended(job_id)
  const { code: end, message } = job.state === 'ready' ? { code: 'ready', message: '' } : job.failure
  return { file, id, end, message, ms: ms() }
}

t.test('a hundred and fifty hostile files: no crash, each in the right state with a sentence, no file left', async t => {
  const set = [...archives(), ...pdfs(), ...others()]
  t.ok(set.length >= 150, `${set.length} files`)
  const before = new Set(await readdir('/tmp'))
  const ends: End[] = []
  const left = set.values()
  const sender = async () => {
    for (const file of left) ends.push(await endOf(file))
  }
  const times = await whileAsking(`http://127.0.0.1:${await listening(app)}`, async () => {
    await Promise.all(Array.from({ length: AT_ONCE }, sender))
  })
  t.equal(ends.length, set.length)
  for (const { file, id, end, message, ms } of ends) {
    const name = `${file.name.slice(0, 60)}: ${end} ${message}`
    t.match(end, file.ends, name)
    t.ok(ms < ENDS_MS_MAX, `${name}, after ${Math.round(ms)} ms`)
    if (file.says) t.match(message, file.says, name)
    if (end !== 'ready') t.ok(message.length > 10 && !inside.test(message), `a sentence: ${name}`)
    if (end === 'ready' && file.never) t.notMatch((await ann.send('GET', `/documents/${id}/text`)).text, file.never, name)
  }
  const p99 = times[Math.floor(times.length * 0.99)] ?? Number.POSITIVE_INFINITY
  t.comment(`/health meanwhile: ${times.length} times, p99 ${p99.toFixed(1)} ms, longest ${times.at(-1)?.toFixed(1)} ms`)
  t.ok(p99 < HEALTH_MS_MAX, `/health took ${p99.toFixed(1)} ms at the 99th percentile`)
  t.equal((await app.inject('/health')).statusCode, 200)
  t.same(await readdir(join(dataDir, 'tmp')), [])
  const slipped = (await readdir('/tmp')).filter(name => !before.has(name) && /slipped|^up\.txt$/.test(name))
  t.same(slipped, [], 'nothing reached a path of its own choice')
})
