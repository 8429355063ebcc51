// A change of the embedding model while search answers (reindex.ts). The second model is made of the shipped weights.
import { join } from 'node:path'
import { DatabaseSync } from 'node:sqlite'
import t from 'tap'
import { failure } from '../../src/platform/errors.ts'
import { skip } from './lanes.ts'
import { ABSENT, DEAF, dataWithDocuments, OTHER } from './reindexing.ts'

t.test('another model', { skip }, async t => {
  t.test(
    'serves when it loses no more than the margin; search answers throughout; it can be taken back and finished',
    async t => {
      const { reindex, lanes, ask, until, add, first, collections, store } = await dataWithDocuments(t)
      store()
      const old = lanes.model.name
      const before = await ask('grain')
      await reindex.act({ model: OTHER.name, ndcg_loss_max: 1 })
      await t.rejects(reindex.act({ model: DEAF.name }), { code: 'conflict' }, 'one change at a time')
      const late = add(first, 'late', 'The granary keeps the grain dry.')
      const kept = await until('kept')
      await late
      t.match(kept, { model: OTHER.name, beside: old, outcome: { questions: 4, ndcg_at_10: { before: { mean: Number } } } })
      t.equal(lanes.model.name, OTHER.name)
      t.not((await ask('barley'))[0]?.score, (await ask('barley', old))[0]?.score, 'the vectors are others')
      t.same(
        (await ask('grain')).map(({ chunk_id }) => chunk_id).toSorted(),
        (await ask('grain', old)).map(({ chunk_id }) => chunk_id).toSorted(),
        'the passages are the same',
      )
      await add(first, 'later', 'The silo beside the mill is empty.')
      t.ok(
        (await ask('silo', old)).some(({ document_id }) => document_id === 'later'),
        'new documents have both vectors',
      )

      await reindex.act({ action: 'rollback' })
      t.equal(lanes.model.name, old)
      const back = (await ask('grain')).filter(({ document_id }) => !document_id.startsWith('late'))
      t.same(
        back.map(({ score }) => score),
        before.map(({ score }) => score),
        'scores are what they were',
      )
      await reindex.act({ action: 'rollback' })
      await reindex.act({ action: 'finish' })
      t.match(await until('settled'), { model: OTHER.name, beside: null })
      for (const { dir } of collections) t.match((await lanes.index(dir)).models, [/^test\/first-token@/])
      t.equal((await ask('silo')).length, 7, 'everything has its vector')
      await t.rejects(reindex.act({ action: 'rollback' }), { code: 'conflict' }, 'now there is no way back')
    },
  )

  t.test('is refused when it loses more, when there is nothing to compare by, and when it is not there', async t => {
    const { reindex, lanes, until, collections, store } = await dataWithDocuments(t)
    await reindex.act({ model: OTHER.name })
    t.match(await until('settled'), { outcome: { refused: /stored question/ } })
    store()
    await reindex.act({ model: DEAF.name })
    t.match(await until('settled'), { beside: null, outcome: { refused: /loses/, ndcg_at_10: { before: { mean: 1 } } } })
    await t.rejects(reindex.act({ model: ABSENT.name }), { code: 'invalid_request', message: /make setup/ })
    await t.rejects(reindex.act({ model: 'test/unknown' }), { code: 'invalid_request' })
    await t.rejects(reindex.act({}), { code: 'invalid_request' })
    await reindex.act({ model: OTHER.name, ndcg_loss_max: 1 })
    await reindex.act({ action: 'cancel' })
    t.match(await until('settled'), { outcome: { refused: /cancelled/ } })
    t.match(lanes.model.name, /MiniLM/)
    for (const { dir } of collections) t.match((await lanes.index(dir)).models, { length: 1, 0: /MiniLM/ })
  })

  t.test('is gone on with after a stop in any stage, and what serves is remembered', async t => {
    const data = await dataWithDocuments(t)
    data.store()
    await data.reindex.act({ model: OTHER.name, ndcg_loss_max: 1 })
    await data.stop()
    const second = await data.open()
    t.equal(second.reindex.view().beside, OTHER.name)
    second.reindex.resume()
    await second.until('kept')
    await second.stop()
    const third = await data.open()
    t.equal(third.lanes.model.name, OTHER.name)
    await third.reindex.act({ action: 'finish' })
    t.match(await third.until('settled'), { model: OTHER.name, beside: null })
  })

  t.test('is gone on with after a time in which the catalogue takes nothing, not even that it failed', async t => {
    let refusing: DatabaseSync | undefined
    const said: string[] = []
    const data = await dataWithDocuments(t, {
      async passages(_user, { query }) {
        if (!refusing) {
          refusing = new DatabaseSync(join(data.dataDir, 'catalogue.sqlite'))
          refusing.exec('BEGIN IMMEDIATE')
        }
        return [{ document_id: query }]
      },
      log: {
        info: () => {},
        error(_context, message) {
          said.push(message)
          if (message.includes('goes on')) refusing?.close()
        },
      },
      againMs: 10,
    })
    data.store()
    await data.reindex.act({ model: OTHER.name })
    t.match(await data.until('kept'), { outcome: { questions: 4 } })
    t.same(said, ['the change of the embedding model failed', 'the change of the embedding model goes on in a moment'])
  })

  t.test('asks again what finds a lane full, and leaves out what its user can not ask any more', async t => {
    const full = ['How long does the oven have to cool?', 'Which grain is grown?']
    const data = await dataWithDocuments(t, {
      async passages(_user, { query }) {
        if (query === full[0] && full.shift()) throw failure('unavailable')
        if (query.includes('boat')) throw failure('invalid_request', 'This question would reach 51 collections')
        return [{ document_id: 'well' }]
      },
      roomMs: 10,
    })
    data.store()
    await data.reindex.act({ model: OTHER.name })
    t.match(await data.until('kept'), { outcome: { questions: 3 } })
    t.same(full, [])
  })

  t.test('is one at a time from the moment it is asked for', async t => {
    const { reindex, lanes } = await dataWithDocuments(t)
    const asked = await Promise.allSettled([reindex.act({ model: OTHER.name }), reindex.act({ model: DEAF.name })])
    t.match(asked, [{ status: 'fulfilled' }, { status: 'rejected', reason: { code: 'conflict', message: /loading/ } }])
    t.equal(lanes.encoders.beside?.model.name, OTHER.name)
  })
})
