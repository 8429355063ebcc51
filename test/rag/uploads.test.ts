// Twins of src/rag/arrivals.ts, uploads.ts and idempotency.ts: what a request makes, and that a refused one leaves nothing.
import { createHash } from 'node:crypto'
import { readdir } from 'node:fs/promises'
import { join } from 'node:path'
import t from 'tap'
import { type FormPart, receiveForm } from '../../src/rag/arrivals.ts'
import { partsFor } from './parts.ts'

type Parts = Awaited<ReturnType<typeof partsFor>>

async function* bytes(...pieces: string[]) {
  for (const piece of pieces) yield Buffer.from(piece)
}
const file = (filename: string, ...pieces: string[]): FormPart => ({
  type: 'file',
  fieldname: 'file',
  filename,
  file: bytes(...pieces),
})
const field = (fieldname: string, value: string): FormPart => ({ type: 'field', fieldname, value })

/** Sends a form as a user. */
function form({ uploads, originals, limits }: Parts, user: string, parts: FormPart[], key?: string) {
  async function* sent() {
    yield* parts
  }
  return uploads.take(
    user,
    key,
    () => receiveForm(sent(), fields => fields, originals, limits),
    async () => true,
  )
}

/** Temporary files of what has arrived. */
async function leftBehind({ originals }: Parts) {
  const work = await originals.workspace()
  return (await readdir(join(work, '..'))).filter(name => name.startsWith('in-'))
}

t.test('each part has its own entry, in order; one that is refused does not refuse the others', async t => {
  const parts = await partsFor(t)
  const { status, reply } = await form(parts, 'ann', [
    file('a.txt', 'a'),
    file('big.txt', 'x'.repeat(1001)),
    file('empty.txt'),
    file('b.txt', 'b'),
  ])
  t.equal(status, 202)
  t.match(reply.documents, [
    { title: 'a.txt', state: 'queued' },
    { title: 'big.txt', failure: { code: 'too_large' } },
    { title: 'empty.txt', failure: { code: 'no_text' } },
    { title: 'b.txt', state: 'queued' },
  ])
  t.same(await leftBehind(parts), [])
})

t.test('when no part is accepted the failure of the first is the answer, with a line for each', async t => {
  const parts = await partsFor(t)
  await t.rejects(form(parts, 'ann', [file('big.txt', 'x'.repeat(1001)), file('empty.txt')]), {
    code: 'too_large',
    extras: { details: [{ path: 'big.txt' }, { path: 'empty.txt' }] },
  })
  t.equal(parts.catalogue.collections.documentsIn(parts.collections.home('ann').id), 0)
  t.same(await leftBehind(parts), [])
})

t.test('the same bytes are the same document, under any name, in one request or two', async t => {
  const parts = await partsFor(t)
  const { status, reply } = await form(parts, 'ann', [file('a.txt', 'same'), file('b.txt', 'same')])
  t.equal(status, 202)
  const [one, two] = reply.documents
  t.equal((one as { id: string }).id, (two as { id: string }).id)
  const again = await parts.upload('ann', 'c.txt', 'same')
  t.equal(again.status, 200)
  t.equal(again.id, (one as { id: string }).id)
  t.equal(again.title, 'a.txt')
  t.not((await parts.upload('bob', 'c.txt', 'same')).id, again.id, 'somebody else has a document of her own')
})

t.test('two uploads of the same bytes at once make one document', async t => {
  const parts = await partsFor(t)
  const answers = await Promise.all(Array.from({ length: 8 }, (_, i) => parts.upload('ann', `${i}.txt`, 'same')))
  t.equal(new Set(answers.map(({ id }) => id)).size, 1)
  t.same(answers.map(({ status }) => status).toSorted(), [200, 200, 200, 200, 200, 200, 200, 202])
  t.equal(parts.catalogue.collections.documentsIn(parts.collections.home('ann').id), 1)
})

t.test('two uploads under the same name at once make one document, and the last of them is what it becomes', async t => {
  const parts = await partsFor(t)
  const answers = await Promise.all(Array.from({ length: 8 }, (_, i) => parts.upload('ann', 'a.txt', `text ${i}`)))
  t.equal(new Set(answers.map(({ id }) => id)).size, 1)
  for (const { job_id } of answers) await parts.ended('ann', job_id)
  const { version, job_id } = parts.documents.one('ann', answers[0]?.id ?? '')
  const last = answers.findIndex(answer => answer.job_id === job_id)
  t.equal(version, createHash('sha256').update(`text ${last}`).digest('hex'))
})

t.test('equal names in one request are refused and leave nothing', async t => {
  const parts = await partsFor(t)
  await t.rejects(form(parts, 'ann', [file('a.txt', '1'), file('b.txt', '2'), file('a.txt', '3')]), { code: 'invalid_request' })
  t.equal(parts.catalogue.collections.documentsIn(parts.collections.home('ann').id), 0)
  t.same(await leftBehind(parts), [])
})

t.test('on_same_name: replace makes a version, keep_both a document, refuse a conflict', async t => {
  const parts = await partsFor(t)
  const first = await parts.upload('ann', 'a.txt', '1')
  t.equal((await parts.upload('ann', 'a.txt', '2', { on_same_name: 'replace' })).id, first.id)
  t.not((await parts.upload('ann', 'a.txt', '3', { on_same_name: 'keep_both' })).id, first.id)
  await t.rejects(parts.upload('ann', 'a.txt', '4', { on_same_name: 'refuse' }), { code: 'conflict' })
  t.equal(
    (await parts.upload('ann', 'a.txt', '3', { on_same_name: 'refuse' })).status,
    200,
    'bytes that are there are no conflict',
  )
  const home = parts.collections.home('ann').id
  t.equal((await readdir(join(parts.originals.directory(home), 'originals'))).length, 3, 'what was refused is not kept')
})

t.test('a name is kept as text whatever is in it', async t => {
  const parts = await partsFor(t)
  const names = ['../../x', '/etc/passwd', 'ünï', 'u\u0308', '文件.txt', '\u202Etxt.exe', 'a\u0000b\nc', '   ', 'x'.repeat(1000)]
  const { reply } = await form(
    parts,
    'ann',
    names.map((name, i) => file(name, `${i}`)),
  )
  const kept = ['../../x', '/etc/passwd', 'ünï', 'ü', '文件.txt', '\u202Etxt.exe', 'a b c', 'untitled', 'x'.repeat(1000)]
  t.same(
    reply.documents.map(({ title }) => title),
    kept,
  )
  await t.rejects(form(parts, 'ann', [file('y'.repeat(1001), 'z')]), { code: 'invalid_request' })
  const home = parts.collections.home('ann').id
  t.ok((await readdir(join(parts.originals.directory(home), 'originals'))).every(name => /^[0-9a-f]{64}$/.test(name)))
})

t.test('a form that is wrong or broken off is refused and leaves nothing', async t => {
  const parts = await partsFor(t)
  async function* broken() {
    yield Buffer.from('abc')
    throw new Error('Unexpected end of multipart data')
  }
  const wrong: FormPart[][] = [
    [],
    [field('collection_id', 'x')],
    [file('a.txt', 'a'), field('note', '1'), field('note', '2')],
    [file('a.txt', 'a'), { ...file('b.txt', 'b'), fieldname: 'attachment' }],
    [file('a.txt', 'a'), { ...file('b.txt'), file: broken() } as FormPart],
  ]
  for (const one of wrong) await t.rejects(form(parts, 'ann', one), { code: 'invalid_request' })
  await t.rejects(
    form(parts, 'ann', [file('a.txt', 'x'.repeat(800)), file('b.txt', 'y'.repeat(800))]),
    { code: 'too_large' },
    'all together',
  )
  t.equal(parts.catalogue.collections.documentsIn(parts.collections.home('ann').id), 0)
  t.same(await leftBehind(parts), [])
})

t.test("the owner's space is bounded, whoever uploads into her collection", async t => {
  const parts = await partsFor(t, { userBytesMax: 10 })
  const { id } = parts.collections.create('ann', { name: 'shared' })
  parts.collections.grant('ann', id, 'bob', 'write')
  await parts.upload('bob', 'a.txt', '123456', { collection_id: id })
  await t.rejects(parts.upload('ann', 'b.txt', '78901'), { code: 'storage_full' })
  await t.resolves(parts.upload('bob', 'b.txt', '78901'), "bob's own space is untouched")
  t.same(await leftBehind(parts), [])
})

t.test('uploading needs a collection one may write to', async t => {
  const parts = await partsFor(t)
  const { id } = parts.collections.create('ann', { name: 'shared' })
  await t.rejects(parts.upload('bob', 'a.txt', 'a', { collection_id: id }), { code: 'not_found' })
  parts.collections.grant('ann', id, 'bob', 'read')
  await t.rejects(parts.upload('bob', 'a.txt', 'a', { collection_id: id }), { code: 'forbidden' })
  parts.collections.grant('ann', id, 'bob', 'write')
  await t.resolves(parts.upload('bob', 'a.txt', 'a', { collection_id: id }))
  t.same(await leftBehind(parts), [])
})

t.test('an Idempotency-Key gives the same answer again and does nothing again', async t => {
  const parts = await partsFor(t)
  const sent = () => form(parts, 'ann', [file('a.txt', 'one'), file('b.txt', 'two')], 'k1')
  const first = await sent()
  for (const entry of first.reply.documents) if ('job_id' in entry) await parts.ended('ann', entry.job_id)
  t.same(await sent(), first, 'also after the jobs have gone on')
  await t.rejects(form(parts, 'ann', [file('a.txt', 'other')], 'k1'), { code: 'conflict' })
  t.not(
    ((await form(parts, 'bob', [file('a.txt', 'one')], 'k1')).reply.documents[0] as { id: string }).id,
    (first.reply.documents[0] as { id: string }).id,
  )
  t.equal(parts.catalogue.collections.documentsIn(parts.collections.home('ann').id), 2)
  for (const key of ['', 'a b', 'x'.repeat(256), 'é'])
    await t.rejects(form(parts, 'ann', [file('c.txt', 'c')], key), { code: 'invalid_request' })
  t.same(await leftBehind(parts), [])
})

t.test('the same key at the same time is a conflict that says when to come back', async t => {
  const parts = await partsFor(t)
  const both = await Promise.allSettled([
    parts.upload('ann', 'a.txt', 'a', { key: 'k' }),
    parts.upload('ann', 'a.txt', 'a', { key: 'k' }),
  ])
  t.match(both, [
    { status: 'fulfilled' },
    { status: 'rejected', reason: { code: 'conflict', extras: { headers: { 'retry-after': 1 } } } },
  ])
})

t.test('a request that failed does not use its key up', async t => {
  const parts = await partsFor(t)
  await t.rejects(form(parts, 'ann', [file('a.txt')], 'k'), { code: 'no_text' })
  t.equal((await form(parts, 'ann', [file('a.txt', 'a')], 'k')).status, 202)
})
