// The process dies in a stage of the pipeline, and the next start finishes (ingest.ts, queue.ts).
import t from 'tap'
import type { Stages } from '../../src/rag/ingest.ts'
import { openCatalogue } from '../../src/rag/store/catalogue.ts'
import { dataFolder, openParts, plainStages, type Shelf } from './parts.ts'

/** More than one batch of passages. */
const seventy = Array.from({ length: 70 }, (_, i) => `passage ${i}`).join('\n')

/** A place to die: who comes here says so and never goes on. */
function grave() {
  let arrive = () => {}
  const reached = new Promise<void>(resolve => (arrive = resolve))
  const die = () => {
    arrive()
    return new Promise<never>(() => {})
  }
  return { die, reached }
}

// Dying is a stage that never comes back; what opens the same folder after it is the next start.
const points: Record<string, (plain: Stages, die: () => Promise<never>) => Partial<Stages>> = {
  'while extracting': (_, die) => ({ extract: die }),
  'while cutting passages': (_, die) => ({ chunk: die }),
  'while embedding the first batch': (_, die) => ({ embed: die }),
  'while embedding the second batch': ({ embed }, die) => {
    let batches = 0
    return { embed: texts => (++batches > 1 ? die() : embed(texts)) }
  },
  'while appending': ({ write }, die) => ({ write: { ...write, append: die } }),
  'after appending, before it is known': ({ write }, die) => ({
    write: { ...write, append: (...args) => write.append(...args).then(die) },
  }),
  'before publishing': ({ write }, die) => ({ write: { ...write, publish: die } }),
  'after publishing, before the catalogue knows': ({ write }, die) => ({
    write: { ...write, publish: (...args) => write.publish(...args).then(die) },
  }),
}

for (const [point, dying] of Object.entries(points)) {
  t.test(`killed ${point}, the next start finishes: the document is there once, whole`, async t => {
    const folder = await dataFolder(t)
    const shelf: Shelf = new Map()
    const { die, reached } = grave()
    const before = await openParts(folder, shelf, { stages: dying(plainStages(shelf), die) })
    const { id, job_id } = await before.upload('ann', 'a.txt', seventy)
    await reached
    before.catalogue.close()
    const left = openCatalogue(folder)
    const told = left.documents.byId(id)?.version ?? undefined
    left.close()
    t.ok(told === undefined || told === shelf.get(id)?.shown, 'the catalogue never says more than is shown')

    const after = await openParts(folder, shelf)
    t.teardown(() => after.stop())
    t.match(await after.ended('ann', job_id), { state: 'ready', done: 70, total: 70 })
    const { version, versions } = after.documents.one('ann', id)
    t.equal(versions.length, 1)
    t.same([...shelf.keys()], [id])
    t.equal(shelf.get(id)?.shown, version)
    t.equal(
      shelf
        .get(id)
        ?.passages.get(version ?? '')
        ?.join('\n'),
      seventy,
      'every passage once, in order',
    )
  })
}

t.test('what was embedded before the process died is not embedded again', async t => {
  const folder = await dataFolder(t)
  const shelf: Shelf = new Map()
  const plain = plainStages(shelf)
  const { die, reached } = grave()
  const before = await openParts(folder, shelf, { stages: points['while embedding the second batch']?.(plain, die) })
  const { job_id } = await before.upload('ann', 'a.txt', seventy)
  await reached
  before.catalogue.close()
  let embedded = 0
  const after = await openParts(folder, shelf, {
    stages: {
      embed: texts => {
        embedded += texts.length
        return plain.embed(texts)
      },
    },
  })
  t.teardown(() => after.stop())
  await after.ended('ann', job_id)
  t.equal(embedded, 70 - 16)
})

t.test('a job that dies with the process again and again is given up, and the others go on', async t => {
  const folder = await dataFolder(t)
  const shelf: Shelf = new Map()
  const { die, reached } = grave()
  const before = await openParts(folder, shelf, { stages: { extract: die } })
  const bad = await before.upload('ann', 'bad.txt', 'bad')
  await reached
  for (let start = 0; start < 10; start++) before.catalogue.jobs.start(bad.job_id)
  before.catalogue.close()
  const after = await openParts(folder, shelf)
  t.teardown(() => after.stop())
  t.match(await after.ended('ann', bad.job_id), { state: 'failed', failure: { code: 'internal' } })
  const good = await after.upload('ann', 'good.txt', 'good')
  t.match(await after.ended('ann', good.job_id), { state: 'ready' })
})

t.test('a job whose passages are shown cannot be cancelled any more, it ends ready', async t => {
  const folder = await dataFolder(t)
  const shelf: Shelf = new Map()
  let fail = true
  const plain = plainStages(shelf)
  let reached = () => {}
  const published = new Promise<void>(resolve => (reached = resolve))
  const parts = await openParts(folder, shelf, {
    stages: {
      write: {
        ...plain.write,
        async publish(...args) {
          const position = await plain.write.publish(...args)
          reached()
          if (!fail) return position
          fail = false
          throw new Error('after the effect')
        },
      },
    },
  })
  t.teardown(() => parts.stop())
  const { id, job_id } = await parts.upload('ann', 'a.txt', 'text')
  await published
  await t.rejects(parts.documents.cancel('ann', job_id), { code: 'conflict' })
  t.match(await parts.ended('ann', job_id), { state: 'ready' })
  t.equal(shelf.get(id)?.shown, parts.documents.one('ann', id).version)
})
