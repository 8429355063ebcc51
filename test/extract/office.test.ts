// Twins of src/rag/extract/{pptx,xlsx,cells,epub,ooxml}.ts, through the child that reads them.
import t from 'tap'
import { read, refused, zipOf } from './made.ts'
import { epubOf, epubParts, grid, pptxOf, pptxParts, shape, xlsxOf } from './office.ts'

t.test('a presentation is read slide by slide in the order it is shown, with titles, lists, tables and notes', async t => {
  const slides = [
    shape(['Where it lies.'], 'body') + shape(['The harbour'], 'title') + shape(['7'], 'sldNum'),
    `${shape(['Boats'], 'ctrTitle')}${shape(['Red ones', 'Blue ones'], 'body')}${grid([
      ['Boat', 'Tons'],
      ['Ada', '40'],
    ])}<p:pic/>`,
    '<p:pic/>',
    `<mc:AlternateContent><mc:Choice>${shape(['Untitled words'])}</mc:Choice><mc:Fallback>${shape(['Untitled words'])}</mc:Fallback></mc:AlternateContent>`,
  ]
  const found = await read('a.bin', await pptxOf(slides, [2, 1, 3, 4], { 1: 'Speak slowly.' }))
  t.match(found, {
    title: 'Boats',
    media_type: 'application/vnd.openxmlformats-officedocument.presentationml.presentation',
    coverage: { pages: 4, pages_without_text: [3], images: 2, tables: 1 },
  })
  t.equal(
    found.text,
    'Boats\n\nRed ones\nBlue ones\n\nBoat: Ada | Tons: 40\n\nThe harbour\n\nWhere it lies.\n\nNotes\n\nSpeak slowly.\n\nSlide 4\n\nUntitled words',
  )
  t.same(
    found.sections.map(({ kind, page, heading }) => [kind, page, heading]),
    [
      ['heading', 1, 'Boats'],
      ['list_item', 1, 'Boats'],
      ['table_row', 1, 'Boats'],
      ['heading', 2, 'The harbour'],
      ['paragraph', 2, 'The harbour'],
      ['heading', 2, 'The harbour › Notes'],
      ['paragraph', 2, 'The harbour › Notes'],
      ['heading', 4, 'Slide 4'],
      ['paragraph', 4, 'Slide 4'],
    ],
  )
})

t.test('a workbook is read sheet by sheet: every cell carries its label, numbers are what a reader sees', async t => {
  const strings = ['<t>Boat</t>', '<t>Launched</t>', '<r><t>A</t></r><r><t>da</t></r><rPh><t>aid</t></rPh>', '<t>All boats</t>']
  const rows = [
    '<row r="1"><c r="B1" t="s"><v>3</v></c></row>',
    '<row r="3"><c r="B3" t="s"><v>0</v></c><c r="C3" t="s"><v>1</v></c><c r="D3" t="inlineStr"><is><t>Share</t></is></c><c r="E3" t="str"><v>Paid</v></c></row>',
    '<row r="4"><c r="B4" t="s"><v>2</v></c><c r="C4" s="1"><v>44197</v></c><c r="D4" s="2"><v>0.07</v></c><c r="E4" t="b"><v>1</v></c></row>',
    '<row r="6"><c r="B6" t="str"><v>Bea</v></c><c r="C6" s="3"><v>44197.75</v></c><c r="D6"><v>0.30000000000000004</v></c><c r="E6"><f>1/0</f></c></row>',
  ]
  const book = await xlsxOf({ Fleet: rows.join(''), Empty: '', Loose: '<row><c><v>1</v></c><c><v>2</v></c></row>' }, strings, {
    a: '0.0%',
    b: '[Red]yyyy&quot;%&quot;-mm',
  })
  const found = await read('a.bin', book)
  t.match(found, {
    media_type: 'application/vnd.openxmlformats-officedocument.spreadsheetml.sheet',
    coverage: { pages: 3, pages_without_text: [2], tables: 1 },
  })
  t.equal(
    found.text,
    'Fleet\n\nAll boats\n\nBoat: Ada | Launched: 2021-01-01 | Share: 7% | Paid: TRUE\nBoat: Bea | Launched: 2021-01-01 18:00:00 | Share: 0.3\n\nLoose\n\n1 | 2',
  )
  t.same(
    found.sections.map(({ page }) => page),
    [1, 1, 1, 3, 3],
  )
})

t.test('a book is read chapter by chapter in reading order, without its table of contents', async t => {
  const page = (body: string, title = '') =>
    `<?xml version="1.0"?><html><head><title>${title}</title><script src="x"/></head><body>${body}</body></html>`
  const found = await read(
    'a.bin',
    await epubOf('Boats of the North', {
      'cover page.xhtml': '<?xml version="1.0"?><html><head><title/></head><body><img src="a.png"/></body></html>',
      'one.xhtml': page('<a id="x"/><h1>Launching</h1><p>It takes &nbsp;two &amp; a rope.</p><ul><li>rope</li><li>two</li></ul>'),
      'two.xhtml': page('<p>No heading here.</p>', 'Afterword'),
    }),
  )
  t.match(found, {
    title: 'Boats of the North',
    media_type: 'application/epub+zip',
    coverage: { pages: 3, pages_without_text: [1], images: 1 },
  })
  t.equal(found.text, 'Launching\n\nIt takes two & a rope.\n\nrope\ntwo\n\nAfterword\n\nNo heading here.')
  t.equal(found.sections.at(-1)?.heading, 'Afterword')
})

t.test('a book locked by a rights system is encrypted, one with obfuscated fonts is read', async t => {
  const parts = epubParts('A', { 'one.xhtml': '<p>Words.</p>' })
  const lock = (algorithm: string, uri: string) =>
    `<encryption><enc:EncryptedData><enc:EncryptionMethod Algorithm="${algorithm}"/><enc:CipherData><enc:CipherReference URI="${uri}"/></enc:CipherData></enc:EncryptedData></encryption>`
  const locked = { ...parts, 'META-INF/encryption.xml': lock('http://www.w3.org/2001/04/xmlenc#aes128-cbc', 'OEBPS/one.xhtml') }
  t.equal((await refused(read('a.epub', await zipOf(locked)))).code, 'encrypted')
  const fonts = { ...parts, 'META-INF/encryption.xml': lock('http://www.idpf.org/2008/embedding', 'OEBPS/font.otf') }
  t.equal((await read('a.epub', await zipOf(fonts))).text, 'Words.')
})

t.test('what is missing inside is damage, what says nothing holds no text, too many pages are too many', async t => {
  const parts = pptxParts([shape(['One']), shape(['Two'])])
  const { 'ppt/slides/slide2.xml': _, ...without } = parts
  t.equal((await refused(read('a.pptx', await zipOf(without)))).code, 'damaged')
  const { '_rels/.rels': __, ...rootless } = parts
  t.equal((await refused(read('a.pptx', await zipOf(rootless)))).code, 'damaged')
  t.equal((await refused(read('a.pptx', (await zipOf(parts)).subarray(0, 300)))).code, 'damaged')
  t.equal((await refused(read('a.epub', await zipOf({ 'META-INF/container.xml': '<container/>' })))).code, 'damaged')
  t.equal((await refused(read('a.xlsx', await xlsxOf({ Empty: '' })))).code, 'no_text')
  t.equal((await refused(read('a.pptx', await pptxOf(['<p:pic/>'])))).code, 'no_text')
  for (const bytes of [await zipOf(parts), await xlsxOf({ A: '', B: '' }), await epubOf('A', { a: '', b: '' })])
    t.match(await refused(read('a.bin', bytes, { pagesMax: 1 })), { code: 'too_large', message: 'the limit is 1' })
  t.equal((await refused(read('a.zip', await zipOf({ 'x.txt': 'words' })))).code, 'unsupported_type')
})
