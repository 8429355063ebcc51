import { readdirSync, rmSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import t from 'tap'
import { type SearchOrder, search } from '../../src/rag/search.ts'
import { add, chunkOf, folder, lanesFor, skip } from './lanes.ts'

t.test('search', { skip }, async t => {
  const strays: string[] = []
  const lanes = await lanesFor(t, { strays: (_dir, documents) => strays.push(...documents) })

  t.test('a passage is found by its words and by its meaning, with scores between 0 and 1, best first', async t => {
    const collection = folder(t)
    await add(lanes, collection, 'well', ['The north well was sealed in May.', 'Barley grows on the south field.'])
    await add(lanes, collection, 'boat', ['The ferry leaves from pier nine at dawn.'])
    const ask = (query: string, mode: 'hybrid' | 'vector' | 'lexical') =>
      search(lanes, { query, mode, top_k: 3, collections: [collection] })
    for (const mode of ['hybrid', 'lexical', 'vector'] as const) {
      const hits = await ask('When was the well sealed?', mode)
      t.match(hits[0], { content: 'The north well was sealed in May.', document_id: 'well' }, mode)
      t.ok(hits.every(({ score }) => score > 0 && score <= 1))
      t.same(
        hits.map(({ score }) => score),
        hits.map(({ score }) => score).toSorted((a, b) => b - a),
      )
    }
    t.match((await ask('the vessel departs in the morning', 'vector'))[0], { document_id: 'boat' })
    t.same(await ask('xylophone quasar', 'lexical'), [])
  })

  t.test('with known vectors the score is the cosine, and min_score cuts exactly there', async t => {
    const collection = folder(t)
    const cosines = [1, 0.8, 0.5, 0.1, 0, -0.5]
    const texts = cosines.map(cosine => `Passage ${cosine}`)
    await lanes.write.append(collection.dir, 'a', 'v', texts.map(chunkOf), Float32Array.from(cosines.flatMap(unit)))
    await lanes.write.publish(collection.dir, 'a', 'v')
    const known = { ...lanes, embedQuery: async () => ({ vector: Float32Array.from(unit(1)), familiarity: 1 }) }
    const ask = async (mode: 'vector' | 'hybrid', min_score?: number) =>
      (await search(known, { query: 'unrelated', mode, top_k: 10, collections: [collection], min_score })).map(({ score }) =>
        Number(score.toFixed(6)),
      )
    t.same(await ask('vector'), [1, 0.8, 0.5, 0.1])
    t.same(await ask('vector', 0.5), [1, 0.8, 0.5])
    t.same(await ask('vector', 0.500001), [1, 0.8])
    t.same(await ask('hybrid', 0.3), [0.5, 0.4], 'half of the cosine, since no word is found')
  })

  t.test('top_k is honoured, and each leg tells its rank and score', async t => {
    const collection = folder(t)
    const texts = Array.from({ length: 30 }, (_, i) => `Barrel ${i} holds oil from the ${i + 3}th press.`)
    await add(lanes, collection, 'a', texts)
    for (const top_k of [1, 7, 100]) {
      const hits = await search(lanes, { query: 'oil barrel 12', mode: 'hybrid', top_k, collections: [collection] })
      t.equal(hits.length, Math.min(top_k, 30))
      t.match(hits[0], { content: texts[12], legs: { lexical: { rank: 1 } } })
      t.ok(hits.every(({ legs }) => legs.lexical || legs.vector))
    }
    const other = folder(t, 'other')
    await add(lanes, other, 'b', ['A barrel of oil, number 12.', 'Oil barrel.'])
    const hits = await search(lanes, { query: 'oil barrel 12', mode: 'hybrid', top_k: 2, collections: [collection, other] })
    t.equal(hits.length, 2, 'over all collections together')
  })

  t.test('texts that differ in case, spacing or marks alone are one hit; one number or name makes another', async t => {
    const [one, other] = [folder(t), folder(t, 'other')]
    await add(lanes, one, 'a', ['The fee is 30 a month.', 'The fee is 31 a month.'])
    await add(lanes, one, 'b', ['THE FEE  is 30 – a month'])
    await add(lanes, other, 'c', ['The fee is 30 a month.'])
    const ask = (group_by?: 'document') =>
      search(lanes, { query: 'fee a month', mode: 'hybrid', top_k: 10, collections: [one, other], group_by })
    t.same((await ask()).map(({ content }) => content.replace(/\D+/g, '')).toSorted(), ['30', '31'])
    t.same((await ask('document')).map(({ document_id }) => document_id).toSorted(), ['a', 'b', 'c'])
  })

  t.test('grouped by document, a long document does not hide the others', async t => {
    const collection = folder(t)
    await add(
      lanes,
      collection,
      'long',
      Array.from({ length: 300 }, (_, i) => `Oil oil oil ${i}`),
    )
    await add(lanes, collection, 'short', ['Among many other things, which are named here at length, there was also some oil.'])
    const order: SearchOrder = { query: 'oil', mode: 'lexical', top_k: 2, collections: [collection], group_by: 'document' }
    t.same(
      (await search(lanes, order)).map(({ document_id }) => document_id),
      ['long', 'short'],
    )
  })

  t.test(
    'grouped by document, candidates are looked at up to a greatest number, and texts of those that are given alone',
    async t => {
      const collection = folder(t)
      const texts = folder(t).dir
      const put = async (document: string, contents: string[]) => {
        const vectors = new Float32Array(contents.length * lanes.model.dimensions)
        await lanes.write.append(collection.dir, document, document, contents.map(chunkOf), vectors)
        await lanes.write.publish(collection.dir, document, document)
      }
      const long = Array.from({ length: 1900 }, (_, i) => `Oil oil oil ${i}`)
      const short = 'Among many other things, which are named here at length, there was also some oil.'
      const ask = async () => {
        const order: SearchOrder = { query: 'oil', mode: 'lexical', top_k: 2, collections: [{ ...collection, texts }] }
        return (await search(lanes, { ...order, group_by: 'document' })).map(({ document_id }) => document_id)
      }
      await put('long', long.slice(0, 300))
      await put('short', [short])
      // Only the first passage of the long one stands where all of them say that they do.
      writeFileSync(join(texts, 'short'), short)
      writeFileSync(join(texts, 'long'), long[0] ?? '')
      t.same(await ask(), ['long', 'short'])
      t.same(strays, [])
      await put('longer', long)
      writeFileSync(join(texts, 'longer'), long[0] ?? '')
      t.same(await ask(), ['long', 'longer'])
      rmSync(join(texts, 'long'))
      t.same(await ask(), ['longer'], 'the short one is too far behind')
      t.ok(strays.includes('long'))
    },
  )

  t.test("a reranker's order and scores take the place of the fused ones, for all passages both legs found", async t => {
    const collection = folder(t)
    await add(lanes, collection, 'a', ['Oil of the north.', 'Oil of the south.', 'Oil of the east.', 'Oil of the west.'])
    const given: string[][] = []
    const byPlace = async (_question: string, contents: string[]) => {
      given.push(contents)
      return contents.map(content => (content.includes('west') ? 1 : content.includes('east') ? 0.5 : 0.1))
    }
    const order: SearchOrder = { query: 'oil', mode: 'hybrid', top_k: 2, collections: [collection], min_score: 0.5 }
    const hits = await search(lanes, order, byPlace)
    t.same(
      hits.map(({ content, score }) => [content, score]),
      [
        ['Oil of the west.', 1],
        ['Oil of the east.', 0.5],
      ],
    )
    t.equal(given[0]?.length, 4, 'not only the two that are wanted')
    t.ok(hits[0]?.legs.lexical && hits[0].legs.vector)
  })

  t.test('a collection that was never written to is empty, and searching it writes nothing', async t => {
    const collection = folder(t)
    t.same(await search(lanes, { query: 'oil', mode: 'hybrid', top_k: 5, collections: [collection] }), [])
    t.same(readdirSync(collection.dir), [])
    await add(lanes, collection, 'a', ['Oil.'])
    t.equal((await search(lanes, { query: 'oil', mode: 'hybrid', top_k: 5, collections: [collection] })).length, 1)
  })

  t.test('a search whose asker has left is not carried out', async t => {
    const collection = folder(t)
    const signal = AbortSignal.abort()
    const order: SearchOrder = { query: 'oil', mode: 'hybrid', top_k: 5, collections: [collection], signal }
    await t.rejects(search(lanes, order), { code: 'cancelled' })
  })
})

/** A vector whose cosine with the first axis is `cosine`. */
function unit(cosine: number): number[] {
  return [cosine, Math.sqrt(1 - cosine * cosine), ...Array(382).fill(0)]
}
