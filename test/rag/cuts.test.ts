// A document whose passages are cut otherwise than before, since RAG_CHUNK_SIZE changed: no cut is mixed with another, in real files of a
// collection (ingest.ts, store/collection.ts).
import { cpSync } from 'node:fs'
import t, { type Test } from 'tap'
import { BATCH, type Stages } from '../../src/rag/ingest.ts'
import { dataFolder, openParts, realFiles } from './parts.ts'

const LINES = 4 * BATCH
const lines = Array.from({ length: LINES }, (_, i) => `line${i}`)
const text = lines.join('\n')
const embed = async (texts: string[]) => new Float32Array(texts.length * 4).fill(0.5)

/** Cuts a text into passages of `size` lines. */
const cutsOf =
  (size: number): Stages['chunk'] =>
  async whole => {
    const all = whole.split('\n')
    return Array.from({ length: Math.ceil(all.length / size) }, (_, n) => {
      const content = all.slice(n * size, (n + 1) * size).join('\n')
      const start_byte = all.slice(0, n * size).join('\n').length + (n > 0 ? 1 : 0)
      return { content, start_byte, end_byte: start_byte + content.length, tokens: size }
    })
  }

/** Parts on real files whose passages have `size` lines. */
async function cutting(t: Test, folder: string, size: number, more: Partial<Stages> = {}) {
  const { write, of } = realFiles(t)
  const parts = await openParts(folder, new Map(), {
    userBytesMax: 10_000,
    stages: { embed, chunk: cutsOf(size), write, ...more },
  })
  t.teardown(() => parts.stop())
  const file = () => of(parts.originals.directory(parts.collections.home('ann').id))
  return {
    ...parts,
    /** In how many visible passages each line is found. */
    found: () => [...new Set(lines.map(line => file().match(line, 10).length))],
    shown: () =>
      file()
        .audit(-1)
        ?.shown.map(({ passages }) => passages),
  }
}

/** A folder as it lies on the disk while rag runs. */
async function copied(t: Test, folder: string) {
  const to = await dataFolder(t)
  cpSync(folder, to, { recursive: true, filter: path => !path.endsWith('-shm') })
  return to
}

/** The folder of a rag that died when `embedded` passages of `size` lines were appended, and the job it was at. */
async function died(t: Test, folder: string, size: number, embedded: number, bytes = text) {
  const reached = Promise.withResolvers<void>()
  const here = Promise.withResolvers<never>()
  let batches = 0
  const before = await cutting(t, folder, size, {
    async embed(texts) {
      if (batches++ * BATCH < embedded) return embed(texts)
      reached.resolve()
      return here.promise
    },
  })
  const { id, job_id } = await before.upload('ann', 'a.txt', bytes)
  await reached.promise
  const still = await copied(t, folder)
  here.reject(new Error('It is over'))
  return { id, job_id, folder: still }
}

for (const [before, after] of [
  [1, 2],
  [2, 1],
] as const)
  t.test(
    `killed half-way with passages of ${before} lines and started again with ${after}, every line is found once`,
    async t => {
      const { folder, job_id, id } = await died(t, await dataFolder(t), before, LINES / before / 2)
      const parts = await cutting(t, folder, after)
      t.match(await parts.ended('ann', job_id), { state: 'ready', total: LINES / after })
      t.same(parts.found(), [1])
      t.same(parts.shown(), [LINES / after])
      t.match(parts.documents.one('ann', id), { passages: LINES / after, coverage: { passages: LINES / after } })
    },
  )

for (const [before, after] of [
  [1, 2],
  [2, 1],
] as const)
  t.test(`what is shown in passages of ${before} lines stays so when its text comes again with ${after}`, async t => {
    const folder = await dataFolder(t)
    const first = await cutting(t, folder, before)
    const { id, job_id } = await first.upload('ann', 'a.txt', text)
    await first.ended('ann', job_id)
    const { coverage, version } = first.documents.one('ann', id)
    const parts = await cutting(t, await copied(t, folder), after)
    const again = await parts.upload('ann', 'a.txt', `${text}\n`)
    t.match(await parts.ended('ann', again.job_id), { state: 'ready' })
    t.same(parts.found(), [1])
    t.same(parts.shown(), [LINES / before])
    t.match(parts.documents.one('ann', id), { id: again.id, version, passages: LINES / before, coverage })
  })

t.test('a job that goes on with the same cut embeds only what is missing', async t => {
  const { folder, job_id } = await died(t, await dataFolder(t), 1, LINES / 2)
  let embedded = 0
  const parts = await cutting(t, folder, 1, {
    embed(texts) {
      embedded += texts.length
      return embed(texts)
    },
  })
  t.match(await parts.ended('ann', job_id), { state: 'ready' })
  t.equal(embedded, LINES / 2)
  t.same(parts.found(), [1])
})
