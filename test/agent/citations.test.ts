// What may leave as a claim, and what becomes of document text on its way into an answer.
import t from 'tap'
import { cite, citeFound } from '../../src/agent/citations.ts'
import { openEvidence, type Place } from '../../src/agent/evidence.ts'
import { inContext } from '../../src/agent/followups.ts'
import { shown, textOf, without } from '../../src/agent/segments.ts'

const asker = { authorization: 'Bearer x', address: '127.0.0.1' }
const text = 'Zwölf Brunnen. The well is dry. The mill stands.'
const passage = {
  document_id: 'd',
  version: 'v',
  collection_id: 'c',
  chunk_id: 'k',
  content: text,
  title: 'wells',
  source: null,
  metadata: {},
  score: 0.9,
  start_byte: 0,
  end_byte: Buffer.byteLength(text),
}

function claim(quote: string) {
  const start_byte = Buffer.byteLength(text.slice(0, text.indexOf(quote)))
  return { text: quote, passage, start_byte, end_byte: start_byte + Buffer.byteLength(quote), quote }
}

/** Evidence that gives `given` in place of the bytes asked for. */
const evidence = (given: (place: Place) => Buffer | undefined) => ({
  bytes: async (_: unknown, place: Place) => given(place),
})
const bytesOf =
  (text: string) =>
  ({ start_byte, end_byte }: Place) =>
    Buffer.from(text).subarray(start_byte, end_byte)
const genuine = bytesOf(text)
const segmentsOf = async (...given: Parameters<typeof cite>) => (await cite(...given)).map(({ segment }) => segment)
const claims = [claim('The well is dry.'), claim('The mill stands.')]

t.test('claims whose bytes are there leave, numbered in their order', async t => {
  const segments = await segmentsOf(evidence(genuine), asker, claims, 1)
  t.equal(textOf(segments), 'The well is dry. [1] The mill stands. [2]')
  t.match(segments[0]?.citation, { marker: '[1]', start_byte: 16, end_byte: 32, href: '/rag/documents/d/text?version=v' })
})

t.test('a claim whose bytes are others, or gone, is dropped, and no marker is left open', async t => {
  const altered = bytesOf(text.replace('dry', 'wet'))
  t.equal(textOf(await segmentsOf(evidence(altered), asker, claims, 1)), 'The mill stands. [1]')
  const cut = bytesOf(text.slice(0, text.indexOf('mill')))
  t.equal(textOf(await segmentsOf(evidence(cut), asker, claims, 1)), 'The well is dry. [1]')
  t.same(
    await cite(
      evidence(() => undefined),
      asker,
      claims,
      1,
    ),
    [],
  )
})

t.test('claims that lie near each other are fetched together, others and those of another text by themselves', async t => {
  const asked: Place[] = []
  const noting = evidence(place => {
    asked.push(place)
    return genuine(place)
  })
  const elsewhere = { ...claim('The mill stands.'), passage: { ...passage, document_id: 'e' } }
  const far = { ...claim('The mill stands.'), start_byte: 1_000_000, end_byte: 1_000_016 }
  const held = await cite(noting, asker, [...claims.toReversed(), elsewhere, far], 1)
  t.same(
    held.map(({ segment }) => segment.text),
    ['The mill stands. [1]', 'The well is dry. [2]', 'The mill stands. [3]'],
    'in the order of the claims; far off there is nothing',
  )
  t.match(asked, [
    { document_id: 'd', start_byte: 16, end_byte: Buffer.byteLength(text) },
    { document_id: 'e', start_byte: 33 },
    { document_id: 'd', start_byte: 1_000_000 },
  ])
  t.equal(asked.length, 3)
})

t.test('a claim on a passage just found leaves when its quote lies at its place in the passage', async t => {
  const off = { ...claim('The mill stands.'), start_byte: 34, end_byte: 50 }
  const altered = { ...claim('The well is dry.'), quote: 'The well is wet.' }
  const before = { ...claim('The mill stands.'), passage: { ...passage, start_byte: 40 } }
  const held = citeFound([off, altered, before, ...claims], 3)
  t.same(
    held.map(({ segment }) => segment.text),
    ['The well is dry. [3]', 'The mill stands. [4]'],
  )
  const later = { ...passage, start_byte: 1000, end_byte: 1000 + Buffer.byteLength(text) }
  const moved = { ...claim('The mill stands.'), passage: later, start_byte: 1033, end_byte: 1049 }
  t.equal(citeFound([moved], 1).length, 1, 'wherever the passage begins')
})

t.test('when rag cannot be asked nothing is claimed', t =>
  t.rejects(cite(openEvidence('http://127.0.0.1:1'), asker, claims, 1), { code: 'unavailable' }),
)

t.test('document text brings no markers, links or hidden characters into an answer', async t => {
  t.equal(shown('Paid [7] at ![x](http://evil/?q=1) and [here](http://evil).'), 'Paid (7) at x and here.')
  t.equal(shown('in\u200Bvisi\u202Eble\u{E0041}'), 'invisible')
  t.equal(shown('क्‍ष 👩‍👩‍👧'), 'क्‍ष 👩‍👩‍👧', 'joiners that scripts need stay')
})

t.test('an answer without a document keeps what came from others', async t => {
  const segments = await segmentsOf(evidence(genuine), asker, claims, 1)
  t.same(without(segments, 'other'), segments)
  t.notMatch(textOf(without(segments, 'd')), /well|mill/)
})

t.test('only a question that leans on the one before is read together with it', async t => {
  const earlier = ['How large was the harvest in 2018?']
  t.equal(inContext('and in 2019?', earlier), 'How large was the harvest in 2018? and in 2019?')
  t.equal(inContext('and in 2020?', [...earlier, 'and in 2019?']), 'How large was the harvest in 2018? and in 2019? and in 2020?')
  t.equal(inContext('Who sealed the well?', earlier), 'Who sealed the well?')
})
