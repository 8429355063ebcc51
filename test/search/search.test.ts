import { existsSync, mkdtempSync, readdirSync, readFileSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join, resolve } from 'node:path'
import type { Test } from 'tap'
import t from 'tap'
import { type Lanes, openLanes } from '../../src/rag/lanes.ts'
import { search } from '../../src/rag/search.ts'

const modelsDir = resolve(import.meta.dirname, '../../run/models')
const skip = existsSync(modelsDir) ? false : 'no weights in run/models; make setup brings them'

t.test('search', { skip }, async t => {
  const lanes = await openLanes({
    modelsDir,
    model: 'Xenova/all-MiniLM-L6-v2',
    embedThreads: 1,
    chunkTokens: 200,
    chunkOverlap: 32,
  })
  t.teardown(() => lanes.close())

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

  t.test('what is removed is in no file of the collection any more', async t => {
    const collection = folder(t)
    await add(lanes, collection, 'a', ['The password is zephyrquill.'])
    await add(lanes, collection, 'b', ['The gate is open.'])
    t.ok(holds(collection.dir, 'zephyrquill'))
    t.same(await lanes.write.remove(collection.dir, 'a'), { passages: 1 })
    t.notOk(holds(collection.dir, 'zephyrquill'))
    t.same(await search(lanes, { query: 'zephyrquill', mode: 'lexical', top_k: 5, collections: [collection] }), [])
  })

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

  t.test('vectors made by another model are refused with a sentence', async t => {
    const collection = folder(t)
    await add(lanes, collection, 'a', ['One.'])
    const other = await openLanes({
      modelsDir,
      model: 'Xenova/bge-small-en-v1.5',
      embedThreads: 1,
      chunkTokens: 200,
      chunkOverlap: 32,
    })
    t.teardown(() => other.close())
    await t.rejects(search(other, { query: 'one', mode: 'hybrid', top_k: 1, collections: [collection] }), {
      code: 'conflict',
      message: /embedded with/,
    })
  })
})

function folder(t: Test) {
  const dir = mkdtempSync(join(tmpdir(), 'collection-'))
  t.teardown(() => rmSync(dir, { recursive: true, force: true }))
  return { id: 'c', dir }
}

const chunkOf = (content: string) => ({ start_byte: 0, end_byte: Buffer.byteLength(content), content })

async function add(lanes: Lanes, { dir }: { dir: string }, document: string, texts: string[]) {
  await lanes.write.append(dir, document, 'v', texts.map(chunkOf), await lanes.embedPassages(texts))
  await lanes.write.publish(dir, document, 'v')
}

function holds(dir: string, word: string): boolean {
  return readdirSync(dir).some(name => readFileSync(join(dir, name)).includes(word))
}
