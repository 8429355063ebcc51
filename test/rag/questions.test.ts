// Embeddings, evaluations and files on the server over HTTP (routes/embeddings.ts, evaluations.ts, ingest.ts).
import { mkdir, mkdtemp, rm, symlink, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import t from 'tap'
import { marks } from '../../src/rag/measures.ts'
import { house } from './house.ts'

const root = await mkdtemp(join(tmpdir(), 'ingest-'))
t.teardown(() => rm(root, { recursive: true }))
const { person } = await house(t, { RAG_INGEST_ROOT: join(root, 'in') })
const ann = await person('ann')

t.test('vectors have unit length, are the same in both encodings, and like texts are near', async t => {
  const input = ['The ferry leaves at noon.', 'The boat departs at twelve.', 'Interest rates rose again.']
  const { status, body } = await ann.send('POST', '/v1/embeddings', { input })
  t.match(
    { status, body },
    { status: 200, body: { object: 'list', model: 'Xenova/all-MiniLM-L6-v2', data: [{ index: 0 }, { index: 1 }, { index: 2 }] } },
  )
  t.ok(body.usage.prompt_tokens > 15 && body.usage.total_tokens === body.usage.prompt_tokens)
  const [ferry, boat, rates] = body.data.map(({ embedding }: { embedding: number[] }) => embedding)
  const dot = (a: number[], b: number[]) => a.reduce((sum, value, i) => sum + value * (b[i] ?? 0), 0)
  t.equal(ferry.length, 384)
  t.ok(Math.abs(dot(ferry, ferry) - 1) < 1e-4)
  t.ok(dot(ferry, boat) > dot(ferry, rates) + 0.2)
  const coded = await ann.send('POST', '/v1/embeddings', {
    input: input[0],
    encoding_format: 'base64',
    model: 'Xenova/all-MiniLM-L6-v2',
  })
  const bytes = Buffer.from(coded.body.data[0].embedding, 'base64')
  t.same(
    Array.from({ length: 384 }, (_, i) => bytes.readFloatLE(4 * i)),
    ferry,
  )
})

t.test('a text longer than the model reads is refused, not cut; so is another model', async t => {
  const send = (body: object) => ann.send('POST', '/v1/embeddings', body)
  t.match(await send({ input: ['short', 'word '.repeat(300)] }), {
    status: 400,
    body: { code: 'invalid_request', message: /Input 1 has 302 tokens/ },
  })
  t.match(await send({ input: 'a', model: 'text-embedding-3-small' }), { status: 400, body: { message: /The model here is/ } })
  t.equal((await send({ input: 'a', dimensions: 256 })).status, 400)
  for (const input of [[], '', [''], 7]) t.equal((await send({ input })).status, 400, JSON.stringify(input))
})

t.test('an evaluation compares configurations query by query', async t => {
  const { id: heron } = await ann.has('heron.txt', 'The heron waits at the weir for eels.')
  const { id: mill } = await ann.has('mill.txt', 'Flour is ground between two stones at the mill.')
  const made = await ann.send('POST', '/evaluations', {
    queries: [
      { query: 'What does the heron wait for?', relevant: [heron] },
      { query: 'How is flour ground?', relevant: [mill] },
      { query: 'heron flour', relevant: [heron, mill] },
    ],
    configurations: [
      { name: 'both', mode: 'hybrid' },
      { name: 'words', mode: 'lexical', min_score: 1 },
    ],
  })
  t.match(made, { status: 202, body: { total: 3 } })
  let reply = made
  while (reply.body.state === 'queued') reply = await ann.send('GET', `/evaluations/${made.body.id}`)
  t.match(reply.body, {
    state: 'ready',
    done: 3,
    configurations: [{ name: 'both' }, { name: 'words' }],
    differences: [{ configuration: 'words', against: 'both' }],
  })
  const [both, words] = reply.body.configurations
  t.equal(both.ndcg_at_10.mean, 1)
  t.ok(both.ndcg_at_10.low <= 1 && both.ndcg_at_10.high >= 1)
  t.ok(words.recall_at_10.mean < 1, 'a score nobody reaches finds less')
  const difference = reply.body.differences[0].ndcg_at_10.mean
  t.ok(Math.abs(difference - (words.ndcg_at_10.mean - 1)) < 1e-9)
  t.equal(reply.body.queries.length, 3)
  const twice = { queries: [{ query: 'a', relevant: ['b'] }], configurations: [{ name: 'x' }, { name: 'x' }] }
  t.equal((await ann.send('POST', '/evaluations', twice)).status, 400)
})

t.test('the measures are the textbook ones', async t => {
  t.same(marks(['a', 'b'], ['a', 'b']), { ndcg_at_10: 1, recall_at_10: 1, reciprocal_rank: 1 })
  t.same(marks([], ['a']), { ndcg_at_10: 0, recall_at_10: 0, reciprocal_rank: 0 })
  const second = marks(['x', 'a'], ['a', 'b'])
  t.ok(Math.abs(second.ndcg_at_10 - 1 / Math.log2(3) / (1 + 1 / Math.log2(3))) < 1e-12)
  t.match(second, { recall_at_10: 0.5, reciprocal_rank: 0.5 })
  const late = marks([...Array.from({ length: 10 }, (_, i) => `x${i}`), 'a'], ['a'])
  t.match(late, { ndcg_at_10: 0, recall_at_10: 0, reciprocal_rank: 1 / 11 })
})

t.test('files on the server are taken from below the folder and from nowhere else', async t => {
  await mkdir(join(root, 'in/sub'), { recursive: true })
  await mkdir(join(root, 'inside-out'))
  await writeFile(join(root, 'in/sub/a.txt'), 'Below the folder.')
  await writeFile(join(root, 'secret.txt'), 'Outside.')
  await writeFile(join(root, 'inside-out/b.txt'), 'Beside the folder, with a name that begins like it.')
  await symlink(join(root, 'secret.txt'), join(root, 'in/link.txt'))
  await symlink(join(root, 'in/sub/a.txt'), join(root, 'in/fine.txt'))
  const ingest = (...file_paths: string[]) => ann.send('POST', '/ingest', { file_paths })
  const outside = [
    '../secret.txt',
    join(root, 'secret.txt'),
    'link.txt',
    '../inside-out/b.txt',
    join(root, 'inside-out/b.txt'),
    'absent.txt',
    'sub',
    '/etc/passwd',
    '/dev/zero',
  ]
  for (const path of outside)
    t.match(
      await ingest(path),
      { status: 404, body: { code: 'not_found', message: 'There is no such file below the folder for ingestion' } },
      path,
    )
  const { status, body, headers } = await ingest('sub/a.txt', 'link.txt')
  t.equal(headers.location, `jobs/${body.documents[0].job_id}`)
  t.match(
    { status, body },
    { status: 202, body: { documents: [{ title: 'sub/a.txt', state: 'queued' }, { failure: { code: 'not_found' } }] } },
  )
  t.match(await ann.ended(body.documents[0].job_id), { state: 'ready' })
  t.match(
    await ingest(join(root, 'in/fine.txt')),
    { status: 200, body: { documents: [{ id: body.documents[0].id }] } },
    'a link that stays inside',
  )
  t.equal((await ingest()).status, 400)
})

t.test('without a folder named, no file on the server is taken in', async t => {
  const closed = await house(t)
  const bob = await closed.person('bob')
  t.match(await bob.send('POST', '/ingest', { file_paths: ['/etc/hostname'] }), { status: 403, body: { code: 'forbidden' } })
})
