import t from 'tap'
import { pdfOf, read, refused } from './made.ts'

const prose = [
  'The river rises in the hills and runs north through three',
  'counties before it meets the sea. It was sur-',
  'veyed in 1871 by a party of six.',
].map(text => ({ text }))

t.test('lines become paragraphs again, larger type becomes headings, and every part knows its page', async t => {
  const { text, sections, title, coverage } = await read(
    'a.pdf',
    pdfOf(
      [
        [{ text: 'A river', size: 24 }, { text: prose[0]?.text ?? '', down: 40 }, ...prose.slice(1)],
        [{ text: 'On page two it is told again in some more words.' }],
      ],
      { title: 'Rivers' },
    ),
  )
  t.equal(title, 'Rivers')
  t.match(text, 'three counties before it meets the sea. It was surveyed in 1871 by a party of six.')
  t.same(
    sections.map(({ kind, page, heading }) => ({ kind, page, heading })),
    [
      { kind: 'heading', page: 1, heading: 'A river' },
      { kind: 'paragraph', page: 1, heading: 'A river' },
      { kind: 'paragraph', page: 2, heading: 'A river' },
    ],
  )
  t.match(coverage, { pages: 2, pages_without_text: [], truncated_tokens: 0 })
})

t.test('pages that are only pictures are named; a document of nothing else holds no text', async t => {
  const { coverage } = await read('a.pdf', pdfOf([[], prose, []]))
  t.match(coverage, { pages: 3, pages_without_text: [1, 3], images: 1 })
  t.equal((await refused(read('scan.pdf', pdfOf([[], []])))).code, 'no_text')
})

t.test('a PDF that asks for a password is encrypted, one that is cut off is damaged or read as far as it goes', async t => {
  t.equal((await refused(read('a.pdf', pdfOf([prose], { locked: true })))).code, 'encrypted')
  t.equal((await refused(read('a.pdf', '%PDF-1.7\nnothing that a reader could make sense of'))).code, 'damaged')
})

t.test('a PDF with more pages than the limit is refused with the limit in the sentence', async t => {
  t.same(await refused(read('a.pdf', pdfOf([prose, prose, prose]), { pagesMax: 2 })), {
    code: 'too_large',
    message: 'The document has 3 pages; the limit is 2',
  })
})
