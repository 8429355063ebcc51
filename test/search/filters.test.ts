// Filters: which documents they let through (filter.ts, workers/matcher.ts), and the search among those alone.
import t from 'tap'
import { openCollections } from '../../src/rag/collections.ts'
import { type Filter, type Metadata, matcher } from '../../src/rag/filter.ts'
import { openFinding } from '../../src/rag/finding.ts'
import type { SearchOrder } from '../../src/rag/search.ts'
import { openCatalogue } from '../../src/rag/store/catalogue.ts'
import { id } from '../../src/rag/store/tables/collections.ts'
import { dice } from '../support/dice.ts'
import { folder as newFolder } from '../support/folder.ts'
import { chunkOf, folder, lanesFor, skip } from './lanes.ts'

t.test('what a filter means', async t => {
  const metadata: Metadata = {
    year: 2020,
    tags: ['sea', 'light', 7],
    public: true,
    none: null,
    empty: [],
    'a"b': 'é',
    high: '😀',
  }
  const cases: [Filter, boolean][] = [
    [{ year: 2020 }, true],
    [{ year: '2020' }, false],
    [{ year: { in: [1, 2020.0, 'x'] } }, true],
    [{ year: { gte: 2020, lt: 2021 } }, true],
    [{ year: { gt: 2020 } }, false],
    [{ year: { gte: 'a' } }, false],
    [{ tags: 'sea' }, true],
    [{ tags: { in: ['hill', 7] } }, true],
    [{ tags: { in: ['hill', 8] } }, false],
    [{ tags: { gt: 6, lt: 'm' } }, true], // each bound of an item of its own
    [{ public: true }, true],
    [{ public: 1 }, true],
    [{ public: { gt: 0 } }, true],
    [{ none: null }, true],
    [{ none: { in: [null] } }, true],
    [{ none: { lte: 0 } }, false],
    [{ empty: null }, false],
    [{ absent: null }, false],
    [{ constructor: null }, false],
    [{ 'a"b': { gt: 'z' } }, true],
    [{ high: { gt: '\uFFFD' } }, true], // by code points, as UTF-8 orders them
    [{ year: 2020, tags: 'light' }, true],
    [{ year: 2020, tags: 'hill' }, false],
  ]
  for (const [filter, holds] of cases) t.equal(matcher(filter)(metadata), holds, JSON.stringify(filter))
})

t.test('filtered', { skip }, async t => {
  const lanes = await lanesFor(t)

  t.test('much is looked through for much that is wanted, and the event loop is free meanwhile', async t => {
    const catalogue = openCatalogue(newFolder(t))
    t.teardown(() => catalogue.close())
    const [one, other] = ['one', 'other'].map(name => catalogue.collections.insert({ owner: 'ann', name, description: '' }).id)
    const add = (collection_id = '', metadata: Metadata, version: string | null = 'v') => {
      const row = {
        id: id(),
        collection_id,
        title: 't',
        source: null,
        metadata: JSON.stringify(metadata),
        original: id(),
        bytes: 1,
      }
      const made = { failure: null, version, job_id: id(), created_by: 'ann', created_at: 1, updated_at: 1 }
      catalogue.documents.insert({ ...row, ...made, state: 'ready' })
      return row.id
    }
    const tags = Array.from({ length: 100 }, (_, i) => `tag ${i}`)
    const wanted = catalogue.transaction(() => {
      for (let i = 0; i < 500; i++) add(one, { tags })
      add(one, { tags: [...tags, 'wanted'] }, null)
      const erasing = add(one, { tags: 'wanted' })
      catalogue.documents.markErasing(erasing)
      add(other, {})
      return [add(one, { tags: [...tags, 'wanted'] }), add(one, { tags: 'wanted' })]
    })
    let isFree = false
    const orders: SearchOrder[] = []
    const finding = openFinding({
      catalogue,
      collections: openCollections(catalogue),
      originals: { directory: name => name, texts: name => name },
      async search(_user, order) {
        orders.push(order)
        t.ok(isFree)
        return []
      },
      matching: (_user, collections, filter) => lanes.matching({ catalogue: catalogue.file, collections, filter }),
      topK: 5,
      scoreMin: 0,
    })
    setImmediate(() => (isFree = true))
    const others = Array.from({ length: 99 }, (_, i) => `other ${i}`)
    await finding.passages('ann', { query: 'x', filter: { tags: { in: [...others, 'wanted'] } } })
    t.match(orders, [{ collections: { length: 1, 0: { id: one } } }], 'where nothing matches, nothing is asked')
    t.same(JSON.parse(orders[0]?.collections[0]?.documents ?? '[]').toSorted(), wanted.toSorted())
  })

  t.test('the nearest of some documents are those that comparing all of theirs finds, however many there are', async t => {
    const { dir } = folder(t)
    const roll = dice(1)
    const vectors = Array.from({ length: 5000 }, () => {
      const values = Array.from({ length: lanes.model.dimensions }, () => roll(2 ** 24) / 2 ** 24 - 0.5)
      const length = Math.hypot(...values)
      return values.map(value => value / length)
    })
    const query = Float32Array.from(vectors[0] ?? [])
    for (const [at, document] of ['in', 'out', 'among'].entries()) {
      const own = vectors.filter((_, i) => i % 10 === at || (at === 0 && i % 10 > 2))
      const passages = own.map((_, i) => chunkOf(`${document} ${i}`))
      await lanes.write.append(dir, document, 'v', passages, Float32Array.from(own.flat()))
      await lanes.write.publish(dir, document, 'v')
    }
    const cosine = (vector: number[]) => vector.reduce((sum, value, i) => sum + value * (query[i] ?? 0), 0)
    const best = vectors
      .filter((_, i) => i % 10 !== 1)
      .map(cosine)
      .toSorted((a, b) => b - a)
    const documents = JSON.stringify(['in', 'among'])
    const hits = await lanes.find({ dir, question: '', vector: query, weight: 1, limit: 100, min_score: 0, documents })
    t.ok(hits.every(({ document_id }) => document_id !== 'out'))
    t.equal(hits.length, 100)
    t.ok(hits.every(({ score }, i) => Math.abs(score - (best[i] ?? 0)) < 1e-6))
  })
})
