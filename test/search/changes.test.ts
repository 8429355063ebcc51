import { join } from 'node:path'
import { DatabaseSync } from 'node:sqlite'
import t from 'tap'
import { type SearchOrder, search } from '../../src/rag/search.ts'
import { add, chunkOf, folder, holders, lanesFor, skip } from './lanes.ts'

t.test('changes of a collection', { skip }, async t => {
  const lanes = await lanesFor(t)

  t.test('nothing is visible before it is published, and a new version replaces the old one in one step', async t => {
    const collection = folder(t)
    const ask = async () =>
      (await search(lanes, { query: 'sluice gate', mode: 'lexical', top_k: 5, collections: [collection] })).map(
        ({ content }) => content,
      )
    const [first, second] = ['The sluice gate is green.', 'The sluice gate is red.']
    await lanes.write.append(collection.dir, 'a', 'v1', [chunkOf(first)], await lanes.embedPassages([first]))
    t.same(await ask(), [])
    await lanes.write.publish(collection.dir, 'a', 'v1')
    t.same(await ask(), [first])
    await lanes.write.append(collection.dir, 'a', 'v2', [chunkOf(second)], await lanes.embedPassages([second]))
    t.same(await ask(), [first])
    await lanes.write.publish(collection.dir, 'a', 'v2')
    await lanes.write.publish(collection.dir, 'a', 'v2')
    t.same(await ask(), [second])
  })

  t.test('while versions are published one after the other, every search sees exactly one of them', async t => {
    const collection = folder(t)
    const vectors = await lanes.embedPassages(['The valve is open.'])
    const versions = Array.from({ length: 40 }, (_, i) => `v${i}`)
    const publish = async (version: string) => {
      await lanes.write.append(collection.dir, 'a', version, [chunkOf('The valve is open.')], vectors)
      await lanes.write.publish(collection.dir, 'a', version)
    }
    await publish('first')
    for (const version of versions) {
      const order = { query: 'valve', mode: 'hybrid' as const, top_k: 5, collections: [collection] }
      const [, ...searches] = await Promise.all([publish(version), search(lanes, order), search(lanes, order)])
      t.same(
        searches.map(hits => hits.length),
        [1, 1],
        version,
      )
    }
  })

  t.test('words are looked up while the model reads the question, and what takes longer is not waited for', async t => {
    const collection = folder(t)
    await add(lanes, collection, 'a', ['The ferry leaves at dawn.'])
    const [looked, compared] = [Promise.withResolvers<void>(), Promise.withResolvers<void>()]
    const { find, words, near, embedQuery } = lanes
    const asked: SearchOrder = { query: 'ferry', mode: 'hybrid', top_k: 5, collections: [collection] }
    const slowModel = {
      find,
      near,
      words: (request: Parameters<typeof words>[0]) => words(request).finally(looked.resolve),
      embedQuery: async (question: string) => {
        await looked.promise
        return embedQuery(question)
      },
    }
    t.equal((await search(slowModel, asked)).length, 1)
    const slowWords = {
      find,
      embedQuery,
      near: (request: Parameters<typeof near>[0]) => near(request).finally(compared.resolve),
      words: async (request: Parameters<typeof words>[0]) => {
        await compared.promise
        return words(request)
      },
    }
    t.equal((await search(slowWords, asked)).length, 1)
  })

  t.test(
    'what was found for words and vector alone is taken, and found once more only if something was published since',
    async t => {
      const collection = folder(t)
      const { dir } = collection
      await add(lanes, collection, 'a', ['The ferry leaves at dawn.'])
      const { vector } = await lanes.embedQuery('quay')
      const far = await lanes.embedQuery('barley')
      const words = await lanes.words({ dir, question: 'ferry quay', limit: 5 })
      const near = await lanes.near({ dir, vector, limit: 5 })
      const ask = async (weight: number, question: string, by = vector) => {
        const hits = await lanes.find({ dir, question, vector: by, words, near, weight, limit: 5, min_score: 0 })
        return hits.map(({ document_id, score }) => [document_id, score] as const)
      }
      const [[, asFound] = []] = await ask(1, 'quay')
      t.same(await ask(0, 'barley'), await ask(0, 'ferry quay'))
      t.same(await ask(1, 'barley', far.vector), [['a', asFound]])

      await add(lanes, collection, 'b', ['The quay is of stone.'])
      const both = async (weight: number) => (await ask(weight, 'ferry quay')).map(([id]) => id).toSorted()
      t.same(await both(0), ['a', 'b'])
      t.same(await both(1), ['a', 'b'])
      t.not((await ask(1, 'barley', far.vector)).find(([id]) => id === 'a')?.[1], asFound)
      await lanes.write.remove(dir, 'a')
      t.same(await both(0), ['b'])
      t.same(await both(1), ['b'])
    },
  )

  t.test('what is removed is in no file of the collection any more, in a small one and in a large one', async t => {
    for (const others of [1, 300]) {
      const collection = folder(t)
      await add(
        lanes,
        collection,
        'others',
        Array.from({ length: others }, (_, i) => `Gate ${i} is open.`),
      )
      await add(lanes, collection, 'secret', ['The password is plovermarsh.'], 'v1')
      await add(lanes, collection, 'secret', ['The password is zephyrquill.'], 'v2')
      t.same(holders(collection.dir, 'zephyrq'), ['passages.sqlite-wal'])
      t.match(await lanes.write.remove(collection.dir, 'secret'), { passages: 1 })
      t.same([...holders(collection.dir, 'zephyrq'), ...holders(collection.dir, 'ploverm')], [], `beside ${others} others`)
      const ask = (query: string) => search(lanes, { query, mode: 'lexical', top_k: 500, collections: [collection] })
      t.same(await ask('zephyrquill plovermarsh password'), [])
      t.equal((await ask('gate')).length, others, 'the others are found as before')
    }
  })

  t.test('vectors made by another model are refused with a sentence', async t => {
    const collection = folder(t)
    await add(lanes, collection, 'a', ['One.'])
    const file = new DatabaseSync(join(collection.dir, 'passages.sqlite'))
    file.exec("UPDATE state SET model = 'Xenova/another@0123456789abcdef'")
    file.close()
    await t.rejects(search(await lanesFor(t), { query: 'one', mode: 'hybrid', top_k: 1, collections: [collection] }), {
      code: 'conflict',
      message: /embedded with/,
    })
  })

  t.test('a question of words the model never learned asks for no vectors, whichever model they are from', async t => {
    const collection = folder(t)
    await add(lanes, collection, 'a', ['水坝建于一九五三年'])
    const file = new DatabaseSync(join(collection.dir, 'passages.sqlite'))
    file.exec("UPDATE state SET model = 'Xenova/another@0123456789abcdef'")
    file.close()
    const hits = await search(lanes, { query: '水坝建于何时', mode: 'hybrid', top_k: 1, collections: [collection] })
    t.match(hits, [{ document_id: 'a' }])
    t.same((await lanes.index(collection.dir)).memory, {})
  })

  t.test('when a change of the model is finished, only vectors of the one that serves are in memory', async t => {
    const collection = folder(t)
    const { dir } = collection
    await add(lanes, collection, 'a', ['The ferry leaves at dawn.'])
    const file = new DatabaseSync(join(dir, 'passages.sqlite'))
    file.exec("UPDATE state SET beside = 'old'; INSERT INTO beside SELECT id, published, vector FROM passages")
    file.close()
    const { vector } = await lanes.embedQuery('ferry')
    const asked = { dir, question: 'ferry', vector, weight: 1, limit: 5, min_score: 0 }
    const held = async () => Object.keys((await lanes.index(dir)).memory)
    t.equal((await lanes.find(asked)).length, 1)
    const [serving] = await held()
    t.equal((await lanes.find({ ...asked, model: { fingerprint: 'old', dimensions: lanes.model.dimensions } })).length, 1)
    t.same(await held(), [serving, 'old'])
    await lanes.write.settle(dir)
    t.equal((await lanes.find(asked)).length, 1)
    t.same(await held(), [serving])
  })
})
