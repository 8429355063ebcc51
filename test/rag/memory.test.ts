// What jobs hold in memory: the texts of few of them at once, and of those that wait to be embedded no text at all (ingest.ts).
import { setFlagsFromString } from 'node:v8'
import { runInNewContext } from 'node:vm'
import t from 'tap'
import { partsFor, plainStages } from './parts.ts'

setFlagsFromString('--expose-gc')
const collectGarbage = runInNewContext('gc') as () => void
/** Documents read at once; see `partsFor`. */
const READ_AT_ONCE = 2

t.test('a job that embeds holds neither its text nor its passages', async t => {
  const plain = plainStages(new Map())
  const reached = Promise.withResolvers<void>()
  const released = Promise.withResolvers<void>()
  const held: WeakRef<object>[] = []
  const { upload, ended } = await partsFor(t, {
    stages: {
      async extract(...args) {
        const extracted = await plain.extract(...args)
        held.push(new WeakRef(extracted.sections))
        return extracted
      },
      async chunk(...args) {
        const passages = await plain.chunk(...args)
        held.push(...passages.map(passage => new WeakRef(passage)))
        return passages
      },
      async embed(texts) {
        reached.resolve()
        await released.promise
        return plain.embed(texts)
      },
    },
  })
  const { job_id } = await upload('ann', 'a.txt', 'one\ntwo')
  await reached.promise
  for (let turn = 0; turn < 10; turn++) {
    await new Promise(setImmediate)
    collectGarbage()
  }
  t.equal(held.length, 3)
  t.same(
    held.map(one => one.deref()),
    [undefined, undefined, undefined],
  )
  released.resolve()
  t.match(await ended('ann', job_id), { state: 'ready' })
})

t.test('so many texts are in memory at once as documents are read, however many wait to be cut', async t => {
  const plain = plainStages(new Map())
  const released = Promise.withResolvers<void>()
  const cut = Promise.withResolvers<void>()
  let read = 0
  let cutting = 0
  const { upload, ended } = await partsFor(t, {
    stages: {
      async extract(...args) {
        read++
        return plain.extract(...args)
      },
      async chunk(...args) {
        if (++cutting === READ_AT_ONCE) cut.resolve()
        await released.promise
        return plain.chunk(...args)
      },
    },
  })
  const entries = []
  for (let n = 0; n < 8; n++) entries.push(await upload('ann', `${n}.txt`, `text ${n}`))
  await cut.promise
  for (let turn = 0; turn < 100; turn++) await new Promise(setImmediate)
  t.equal(read, READ_AT_ONCE)
  released.resolve()
  for (const { job_id } of entries) t.match(await ended('ann', job_id), { state: 'ready' })
})

t.test('what is embedded is what stands in the text, in any script', async t => {
  const embedded: string[] = []
  const plain = plainStages(new Map())
  const { upload, ended, documents } = await partsFor(t, {
    stages: {
      embed(texts) {
        embedded.push(...texts)
        return plain.embed(texts)
      },
    },
  })
  const lines = ['plain', 'Äußerst kühl', '文件', '😀 and 😀', '\uFEFFmark']
  const { id, job_id } = await upload('ann', 'a.txt', lines.join('\n\n'))
  t.match(await ended('ann', job_id), { state: 'ready' })
  t.same(embedded, lines)
  t.equal(documents.one('ann', id).passages, lines.length)
})
