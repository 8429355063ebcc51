import t from 'tap'
import { search } from '../../src/rag/search.ts'
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

  t.test('what is removed is in no file of the collection any more', async t => {
    const collection = folder(t)
    await add(lanes, collection, 'a', ['The password is zephyrquill.'])
    await add(lanes, collection, 'b', ['The gate is open.'])
    t.same(holders(collection.dir, 'zephyrq'), ['passages.sqlite-wal'])
    t.same(await lanes.write.remove(collection.dir, 'a'), { passages: 1 })
    t.same(holders(collection.dir, 'zephyrq'), [])
    t.same(await search(lanes, { query: 'zephyrquill', mode: 'lexical', top_k: 5, collections: [collection] }), [])
  })

  t.test('vectors made by another model are refused with a sentence', async t => {
    const collection = folder(t)
    await add(lanes, collection, 'a', ['One.'])
    const other = await lanesFor(t, { model: 'Xenova/bge-small-en-v1.5' })
    await t.rejects(search(other, { query: 'one', mode: 'hybrid', top_k: 1, collections: [collection] }), {
      code: 'conflict',
      message: /embedded with/,
    })
  })
})
