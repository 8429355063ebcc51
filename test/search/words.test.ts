import t from 'tap'
import { search } from '../../src/rag/search.ts'
import { add, folder, lanesFor, skip } from './lanes.ts'

t.test('words', { skip }, async t => {
  const lanes = await lanesFor(t)

  t.test('the syntax of the full-text engine is text', async t => {
    const collection = folder(t)
    await add(lanes, collection, 'a', ['Pumps near the river NEAR bend run at 3.5 bar, part AB-12.'])
    for (const query of [
      '"pumps',
      'pumps*',
      'NEAR(pumps river)',
      'pumps AND NOT bend',
      'terms:pumps',
      '(pumps',
      'pumps ^river',
      "pumps'--",
      '3.5 bar',
    ]) {
      const hits = await search(lanes, { query, mode: 'lexical', top_k: 5, collections: [collection] })
      t.equal(hits.length, 1, query)
    }
    t.same(await search(lanes, { query: '* " ( )', mode: 'lexical', top_k: 5, collections: [collection] }), [])
  })

  t.test('every script finds its words', async t => {
    const collection = folder(t)
    const texts = {
      zh: '水坝建于一九五三年，位于河谷上游。',
      ja: '灯台は岬の先に立っている。',
      th: 'เขื่อนตั้งอยู่ทางเหนือของเมือง',
      hi: 'बांध नदी के उत्तर में है।',
      ar: 'يقع السد شمال المدينة القديمة.',
      de: 'Der Müller öffnet die Schleuse.',
    }
    for (const [id, text] of Object.entries(texts)) await add(lanes, collection, id, [text])
    const queries = { zh: '水坝', ja: '灯台', th: 'เขื่อน', hi: 'बांध', ar: 'السد', de: 'Mueller Schleuse muller' }
    for (const [id, query] of Object.entries(queries)) {
      const hits = await search(lanes, { query, mode: 'hybrid', top_k: 1, collections: [collection] })
      t.match(hits[0], { document_id: id }, query)
    }
  })

  t.test(
    'in a collection of one passage, words it lacks lower its score in proportion, and words it has still count',
    async t => {
      const collection = folder(t)
      await add(lanes, collection, 'a', ['The kiln must cool for eighteen hours.'])
      const score = async (query: string) =>
        (await search(lanes, { query, mode: 'lexical', top_k: 1, collections: [collection] }))[0]?.score ?? 0
      const whole = await score('kiln cool')
      t.ok(whole > 0.4, `both words: ${whole}`)
      t.equal(((await score('kiln zeppelin')) / whole).toFixed(3), '0.500', 'one of two')
      t.equal(((await score('kiln zeppelin quasar oboe')) / whole).toFixed(3), '0.250', 'one of four')
    },
  )

  t.test("another collection's passages change no score", async t => {
    const [mine, others] = [folder(t), folder(t)]
    await add(lanes, mine, 'a', ['The lamp burns oil.', 'The oil is kept in the cellar.'])
    const ask = () => search(lanes, { query: 'where is the oil kept', mode: 'hybrid', top_k: 5, collections: [mine] })
    const before = await ask()
    await add(
      lanes,
      others,
      'b',
      Array.from({ length: 50 }, (_, i) => `Oil number ${i} is kept elsewhere.`),
    )
    t.same(await ask(), before)
  })
})
