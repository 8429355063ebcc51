// Finding over HTTP, with the real model: POST /search and the older routes.
import { readFile, rm, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import t from 'tap'
import { house } from './house.ts'

const { dataDir, person } = await house(t)

t.test('the older routes answer in their shapes, from passages that are good enough', async t => {
  const dee = await person('dee')
  await dee.has('mill.txt', 'The mill grinds 40 tonnes of barley a week.\n\nIts owner is Ines Okafor.')
  const question = { query: 'How much barley does the mill grind a week?' }
  for (const path of ['/retrieve', '/lookup']) {
    const { status, body } = await dee.send('POST', path, question)
    t.match(
      { status, body },
      { status: 200, body: { documents: [{ content: /40 tonnes/, title: 'mill.txt', metadata: {}, score: Number }] } },
    )
  }
  const { body } = await dee.send('POST', '/query', question)
  t.match(body, {
    grounded: true,
    answer: /40 tonnes/,
    context: /40 tonnes/,
    sources: [{ title: 'mill.txt', quote: /40 tonnes/ }],
  })
  t.equal(body.response, body.answer)
  const [{ document_id, start_byte, end_byte, quote }] = body.sources
  const part = await dee.send('GET', `/documents/${document_id}/text`, undefined, {
    range: `bytes=${start_byte}-${end_byte - 1}`,
  })
  t.equal(part.text, quote)
  t.match((await dee.send('POST', '/query', { query: 'Who won the regatta in Lisbon?' })).body, {
    grounded: false,
    sources: [],
    answer: String,
  })
  t.equal((await dee.send('POST', '/query', { query: '' })).status, 400)
  t.equal((await dee.send('POST', '/query', { query: 'x'.repeat(1001) })).status, 400)
})

t.test('search: modes, grouping, filters and its bounds', async t => {
  const eve = await person('eve')
  const long = Array.from(
    { length: 60 },
    (_, i) => `Paragraph ${i} tells about the harbour and its ${i} boats in the evening light.`,
  ).join('\n\n')
  await eve.has('harbour.txt', long, { metadata: '{"year":2020,"tags":["sea","light"]}' })
  await eve.has('hill.txt', 'The hill above the harbour is green.', { metadata: '{"year":2022,"public":true}' })
  const search = async (more: object) => (await eve.send('POST', '/search', { query: 'harbour boats', ...more })).body.passages
  for (const mode of ['hybrid', 'vector', 'lexical']) t.ok((await search({ mode })).length > 0, mode)
  t.equal((await search({ top_k: 3 })).length, 3)
  const titles = (passages: { title: string }[]) => passages.map(({ title }) => title)
  t.same(titles(await search({ group_by: 'document' })).toSorted(), ['harbour.txt', 'hill.txt'])
  const only = async (filter: object) => [...new Set(titles(await search({ filter, top_k: 50 })))].toSorted()
  t.same(await only({ year: 2022 }), ['hill.txt'])
  t.same(await only({ year: { gte: 2020, lt: 2022 } }), ['harbour.txt'])
  t.same(await only({ year: { in: [2020, 2022] } }), ['harbour.txt', 'hill.txt'])
  t.same(await only({ tags: 'sea' }), ['harbour.txt'])
  t.same(await only({ public: true, year: { gt: 2000 } }), ['hill.txt'])
  t.same(await only({ year: '2022' }), [])
  t.same(await only({ year: { gte: 'a' } }), [])
  t.same(await only({ nothing: 1 }), [])
  t.ok((await search({ min_score: 0.99 })).every(({ score }: { score: number }) => score >= 0.99))
  for (const bad of [
    { top_k: 0 },
    { top_k: 101 },
    { mode: 'odd' },
    { query: '' },
    { query: 'x'.repeat(2001) },
    { filter: {} },
    { colour: 1 },
  ]) {
    t.equal((await eve.send('POST', '/search', { query: 'a', ...bad })).status, 400, JSON.stringify(bad).slice(0, 40))
  }
  t.equal((await eve.send('POST', '/search', { query: 'a', collection_ids: ['nothing'] })).status, 404)
})

t.test('a passage that no longer stands in its text is not given, by any route', async t => {
  const una = await person('una')
  await una.has('kiln.txt', 'The kiln of Harrow cools for eighteen hours.')
  await una.has('press.txt', 'The press of Harrow cools for two hours.')
  const query = 'How long does the kiln of Harrow cool?'
  const found = async (mode = 'hybrid') => (await una.send('POST', '/search', { query, mode })).body.passages
  const [kiln, press] = await found()
  t.match([kiln, press], [{ title: 'kiln.txt' }, { title: 'press.txt' }])
  const textOf = ({ collection_id, version }: { collection_id: string; version: string }) =>
    join(dataDir, 'collections', collection_id, 'texts', version)
  const whole = await readFile(textOf(kiln), 'utf8')
  const titles = async (mode?: string) => (await found(mode)).map(({ title }: { title: string }) => title)

  await writeFile(textOf(kiln), whole.replace('eighteen', 'nineteen'))
  for (const mode of ['hybrid', 'vector', 'lexical']) t.same(await titles(mode), ['press.txt'], mode)
  t.notMatch((await una.send('POST', '/query', { query })).text, /eighteen|nineteen/)
  await writeFile(textOf(kiln), whole.slice(0, -9))
  t.same(await titles(), ['press.txt'], 'cut short')
  await writeFile(textOf(kiln), whole)
  t.same(await titles(), ['kiln.txt', 'press.txt'], 'and is given again when it does')
  await rm(textOf(kiln))
  t.same(await titles(), ['press.txt'], 'gone')
})

t.test('somebody who asks much, of many collections, lets others in between', async t => {
  const [many, one] = [await person('many'), await person('one')]
  await one.has('one.txt', 'Otters by the river.')
  for (let n = 0; n < 10; n++) {
    const { id } = (await many.send('POST', '/collections', { name: `of ${n}` })).body
    await many.has(`${n}.txt`, `Otters of river ${n}.`, { collection_id: id })
  }
  const order: string[] = []
  const ask = async (who: typeof one, name: string) => {
    t.equal((await who.send('POST', '/search', { query: 'otters' })).status, 200)
    order.push(name)
  }
  const asked = Array.from({ length: 60 }, () => ask(many, 'many'))
  await new Promise(setImmediate)
  await Promise.all([...asked, ask(one, 'one')])
  t.ok(order.indexOf('one') < 30, `served as number ${order.indexOf('one')} of 61`)
})
