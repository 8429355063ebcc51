// Every hostile file goes through the whole service: none ends it, each document ends as it must with a sentence, nothing stays behind.
import { readdir } from 'node:fs/promises'
import { join } from 'node:path'
import t from 'tap'
import { archives } from '../extract/hostile/archives.ts'
import { pdfs } from '../extract/hostile/pdfs.ts'
import type { Hostile } from '../extract/hostile/set.ts'
import { others } from '../extract/hostile/texts.ts'
import { house } from '../rag/house.ts'

const { app, person, dataDir } = await house(t, { RAG_CHUNK_SIZE: '256' })
const ann = await person('ann')
const FILES_PER_FORM = 50
/** Paths, stacks and names of our own are nothing for a sentence. */
const inside = /\/(src|tmp|home|work|node_modules)\/|node:|\bat \w+ \(|undefined|\[object/

async function send(files: Hostile[]) {
  const form = new FormData()
  for (const { name, bytes } of files) form.append('file', new File([new Uint8Array(bytes)], name))
  const { status, body, text } = await ann.send('POST', '/documents', form)
  if (status !== 202) throw new Error(text)
  return files.map((file, i) => ({ file, entry: body.documents[i] }))
}

/** How a document ended: `ready`, or the failure's code with its sentence. */
async function endOf(entry: { job_id?: string; failure?: { code: string; message: string } }) {
  if (!entry.job_id) return { end: entry.failure?.code ?? '', message: entry.failure?.message ?? '' }
  const job = await ann.ended(entry.job_id)
  return { end: job.state === 'ready' ? 'ready' : job.failure.code, message: job.failure?.message ?? '' }
}

t.test('a hundred and fifty hostile files: no crash, each in the right state with a sentence, no file left', async t => {
  const set = [...archives(), ...pdfs(), ...others()]
  t.ok(set.length >= 150, `${set.length} files`)
  const before = new Set(await readdir('/tmp'))
  for (let at = 0; at < set.length; at += FILES_PER_FORM) {
    for (const { file, entry } of await send(set.slice(at, at + FILES_PER_FORM))) {
      const { end, message } = await endOf(entry)
      const name = `${file.name.slice(0, 60)}: ${end} ${message}`
      t.match(end, file.ends, name)
      if (file.says) t.match(message, file.says, name)
      if (end !== 'ready') t.ok(message.length > 10 && !inside.test(message), `a sentence: ${name}`)
      if (end === 'ready' && file.never) t.notMatch((await ann.send('GET', `/documents/${entry.id}/text`)).text, file.never, name)
    }
  }
  t.equal((await app.inject('/health')).statusCode, 200)
  t.same(await readdir(join(dataDir, 'tmp')), [])
  const left = (await readdir('/tmp')).filter(name => !before.has(name) && /slipped|^up\.txt$/.test(name))
  t.same(left, [], 'nothing reached a path of its own choice')
})
