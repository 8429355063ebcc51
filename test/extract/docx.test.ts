import t from 'tap'
import { docxEntries, paragraph, read, refused, zipOf } from './made.ts'

const row = (...cells: string[]) => `<w:tr>${cells.map(cell => `<w:tc>${paragraph(cell)}</w:tc>`).join('')}</w:tr>`

t.test('a Word document keeps headings, and rows of a table carry the labels of its first row', async t => {
  const body =
    paragraph('Staff', 'Heading1') +
    paragraph('All of them.') +
    `<w:tbl>${row('Name', 'Age')}${row('Ada', '36')}${row('Max', '')}</w:tbl>`
  const styles =
    '<?xml version="1.0"?><w:styles xmlns:w="http://schemas.openxmlformats.org/wordprocessingml/2006/main"><w:style w:type="paragraph" w:styleId="Heading1"><w:name w:val="heading 1"/></w:style></w:styles>'
  const relations =
    '<?xml version="1.0"?><Relationships xmlns="http://schemas.openxmlformats.org/package/2006/relationships"><Relationship Id="s" Type="http://schemas.openxmlformats.org/officeDocument/2006/relationships/styles" Target="styles.xml"/></Relationships>'
  const made = await read(
    'a.docx',
    await zipOf({ ...docxEntries(body), 'word/styles.xml': styles, 'word/_rels/document.xml.rels': relations }),
  )
  t.equal(made.text, 'Staff\n\nAll of them.\n\nName: Ada | Age: 36\nName: Max')
  t.same(
    made.sections.map(({ kind, heading }) => `${kind} under ${heading}`),
    ['heading under Staff', 'paragraph under Staff', 'table_row under Staff'],
  )
  t.match(made.coverage, { tables: 1 })
})

t.test('a Word document is known by its content, whatever it is called', async t => {
  t.equal((await read('notes.txt', await zipOf(docxEntries(paragraph('Hello there.'))))).text, 'Hello there.')
})

t.test('a cut-off or broken Word document is damaged, one without words holds no text', async t => {
  const whole = await zipOf(docxEntries(paragraph('Hello there.')))
  t.equal((await refused(read('a.docx', whole.subarray(0, whole.length - 100)))).code, 'damaged')
  t.equal(
    (await refused(read('a.docx', await zipOf({ ...docxEntries(''), 'word/document.xml': '<w:document' })))).code,
    'damaged',
  )
  t.equal((await refused(read('a.docx', await zipOf(docxEntries(paragraph('')))))).code, 'no_text')
})

t.test('a Word document locked with a password is encrypted', async t => {
  const locked = Buffer.alloc(2048)
  Buffer.from('d0cf11e0a1b11ae1', 'hex').copy(locked)
  Buffer.from('EncryptedPackage', 'utf16le').copy(locked, 1024)
  t.equal((await refused(read('a.docx', locked))).code, 'encrypted')
})
