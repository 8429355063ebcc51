// Twin of src/rag/queue.ts: giving a job up, and what each leaves in memory.
import { queryObjects } from 'node:v8'
import t from 'tap'
import { failure } from '../../src/platform/errors.ts'
import { partsFor, plainStages } from './parts.ts'

t.test('whoever cancels a job that cannot stop just now is not kept waiting for it', async t => {
  const { write } = plainStages(new Map())
  const [reached, free] = [Promise.withResolvers<void>(), Promise.withResolvers<void>()]
  const { upload, documents, ended } = await partsFor(t, {
    stages: {
      write: {
        ...write,
        // As while a snapshot is made.
        async append() {
          reached.resolve()
          await free.promise
        },
      },
    },
  })
  const { job_id } = await upload('ann', 'a.txt', 'text')
  await reached.promise
  await documents.cancel('ann', job_id)
  t.match(documents.job('ann', job_id), { state: 'embedding' })
  free.resolve()
  t.match(await ended('ann', job_id), { state: 'failed', failure: { code: 'cancelled' } })
})

t.test('a job that is given up is told with its cause, as an error where it is ours', async t => {
  const said: [string, object][] = []
  const log = {
    error: (context: object) => void said.push(['error', context]),
    info: (context: object) => void said.push(['info', context]),
  }
  const { upload, ended } = await partsFor(t, {
    log,
    stages: {
      async extract({ name }) {
        throw failure(name === 'a.txt' ? 'internal' : 'damaged', undefined, { cause: new Error(`of ${name}`) })
      },
    },
  })
  for (const name of ['a.txt', 'b.txt']) await ended('ann', (await upload('ann', name, name)).job_id)
  t.match(said, [
    ['error', { code: 'internal', err: { message: 'of a.txt' } }],
    ['info', { code: 'damaged', err: { message: 'of b.txt' } }],
  ])
})

t.test('a job that has ended leaves no signal and no timer', async t => {
  const { upload, ended } = await partsFor(t, { userBytesMax: 1_000_000 })
  const made = async (count: number) => {
    for (let n = 0; n < count; n++) await ended('ann', (await upload('ann', `${count}-${n}.txt`, `${count} ${n}`)).job_id)
    await new Promise(setImmediate)
    return {
      signals: Number(queryObjects(AbortSignal, { format: 'count' })),
      timers: process.getActiveResourcesInfo().filter(one => one === 'Timeout').length,
    }
  }
  const before = await made(5)
  const after = await made(50)
  t.ok(after.signals - before.signals < 25, `${before.signals} signals, then ${after.signals}`)
  t.ok(after.timers - before.timers < 25, `${before.timers} timers, then ${after.timers}`)
})
