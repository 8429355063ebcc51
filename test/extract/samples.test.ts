import { existsSync, readdirSync, readFileSync } from 'node:fs'
import { join, resolve } from 'node:path'
import t from 'tap'
import { read, refused } from './made.ts'

/** Real documents of other projects; they are not part of this one, so where they are absent there is nothing to try. */
const folder = resolve(import.meta.dirname, '../../../shared/samples')
const skip = existsSync(folder) ? false : `no samples at ${folder}`
const sample = (name: string) => read(name, readFileSync(join(folder, name)))

t.test('every sample that can be read gives its words and its structure', { skip }, async t => {
  const pages = await sample('text-4-pages.pdf')
  t.match(pages, { media_type: 'application/pdf', coverage: { pages: 4, pages_without_text: [] } })
  t.equal(pages.sections.at(-1)?.page, 4)
  t.match(
    pages.text,
    'This text should contain all letters of the alphabet and it should be written in of the original language.',
  )
  t.match((await sample('text-arabic.pdf')).text, 'habibi')
  t.match((await sample('invoice-tables.pdf')).text, /Insured name\s+Gabriel Diaz/)
  const formatted = await sample('formatting.docx')
  t.match(
    formatted.sections.map(({ kind }) => kind),
    ['paragraph', 'list_item'],
  )
  const tables = await sample('tables.docx')
  t.match(tables, { title: 'Test with tables', coverage: { tables: 7 } })
  const duck = await sample('wiki-duck.html')
  t.equal(duck.title, 'Duck - Wikipedia')
  t.match(duck.text, 'Ducks are mostly aquatic birds, and may be found in both fresh water and sea water.')
  t.ok(duck.sections.some(({ heading }) => heading === 'Duck › Behaviour › Communication'))
  t.match(await sample('utf16le.html'), {
    text: 'This is a sample text',
    coverage: { encoding: { name: 'utf-16le', confidence: 1 } },
  })
  t.match((await sample('wiki-ibm.md')).sections.at(-1)?.heading, /^IBM › /)
  t.match((await sample('customers.csv')).text, 'Index: 1 | Customer Id: DD37Cf93aecA6Dc | First Name: Sheryl')
  t.match(await sample('shift-jis.csv'), {
    text: '名前: 佐藤太郎 | 年齢: 30 | 住所: 東京',
    coverage: { encoding: { name: 'shift_jis' } },
  })
  const slides = await sample('slides.pptx')
  t.match(slides, { coverage: { pages: 6, pages_without_text: [], tables: 1 } })
  t.match(slides.text, 'ColA: 7 | ColB: 8 | ColC: 9')
  t.equal(slides.sections.find(({ kind }) => kind === 'table_row')?.page, 3)
  const sheets = await sample('two-sheets.xlsx')
  t.match(sheets, { coverage: { pages: 2, tables: 2 } })
  t.match(sheets.text, 'Alpha: 89 | Beta: 82 | Gamma: 100 | Delta: 12')
  t.equal(sheets.sections.at(-1)?.heading, '09060124-b5e7-4717-9d07-3c046eb')
  const book = await sample('small.epub')
  t.match(book, { title: 'Test EPUB Document', coverage: { pages: 2 } })
  t.equal(book.sections.at(-1)?.heading, 'Chapter 2: More Content')
  const udhr = await sample('udhr-all-languages.txt')
  t.match(udhr, { coverage: { encoding: { name: 'utf-8', confidence: 1 }, bytes_skipped: 0 } })
  t.notMatch(udhr.text, '\ufffd')
})

t.test('every sample that cannot be read says why', { skip }, async t => {
  const reasons = {
    'scanned-no-text.pdf': 'no_text',
    'encrypted-password.pdf': 'encrypted',
    'empty.docx': 'no_text',
    'truncated.docx': 'damaged',
    'zipbomb-droste.zip': 'unsupported_type',
    'zipbomb-quine.gz': 'unsupported_type',
  }
  for (const [name, code] of Object.entries(reasons)) t.equal((await refused(sample(name))).code, code, name)
  const named = readFileSync(import.meta.filename, 'utf8')
  const others = readdirSync(folder).filter(name => name !== 'README.md' && !named.includes(`'${name}'`))
  t.same(others, [], 'no sample is left out')
})
