import { readdirSync, readFileSync } from 'node:fs'
import t from 'tap'
import { childOfOurs, commandOf } from './children.ts'
import { rawZip } from './hostile/zip.ts'
import { docxEntries, paragraph, pdfOf, read, refused, zipOf } from './made.ts'
import { epubParts, pptxParts, shape, xlsxParts } from './office.ts'

const MEGABYTE = 1024 * 1024

t.test('an archive is counted while it is unpacked, whatever it claims', async t => {
  const bomb = await zipOf({ ...docxEntries(paragraph('Hi.')), 'word/media/a.xml': Buffer.alloc(40 * MEGABYTE) })
  t.match(await refused(read('a.docx', bomb)), { code: 'too_large', message: '200 times its size' })
  t.match(await refused(read('a.docx', bomb, { unpackedBytesMax: MEGABYTE })), {
    code: 'too_large',
    message: `${MEGABYTE} bytes`,
  })
  const lying = Buffer.from(bomb)
  const entry = lying.lastIndexOf('PK\x01\x02')
  lying.writeUInt32LE(10, entry + 24)
  t.match(await refused(read('a.docx', lying)), { code: 'too_large', message: '200 times its size' })
})

t.test('an archive whose entry is not what its checksum says is damaged', async t => {
  const entries = Object.entries(docxEntries(paragraph('Hi.'))).map(([name, content]) => ({ name, content }))
  t.match(await read('a.docx', rawZip(entries)), { text: 'Hi.' })
  t.match(await refused(read('a.docx', rawZip([...entries, { name: 'x.xml', content: 'x', crc: 7 }]))), { code: 'damaged' })
})

t.test('an archive of too many entries is refused', async t => {
  const many = Object.fromEntries(Array.from({ length: 30 }, (_, index) => [`x/${index}`, '']))
  t.match(await refused(read('a.docx', await zipOf({ ...docxEntries(paragraph('Hi.')), ...many }), { entriesMax: 20 })), {
    code: 'too_large',
    message: 'the limit is 20',
  })
})

t.test('entities are not expanded and files are not fetched, in HTML, XML and Word', async t => {
  const laughs = Array.from({ length: 30 }, (_, index) => `<!ENTITY l${index + 1} "${`&l${index};`.repeat(10)}">`).join('')
  const prolog = `<!DOCTYPE d [<!ENTITY l0 "ha"><!ENTITY file SYSTEM "file:///etc/passwd">${laughs}]>`
  const page = await read('a.html', `<!doctype html>${prolog}<p>before &l30; &file; after</p>`)
  t.match(page.text, /before .*after/)
  const xml = await read('a.xml', `<?xml version="1.0"?>${prolog}<d><p>before &l30; &file; after</p></d>`)
  const docx = await zipOf(docxEntries(paragraph('before &l30; &file; after'), prolog))
  const opened = await read('a.docx', docx).then(
    ({ text }) => text,
    error => String(error.code),
  )
  for (const text of [page.text, xml.text, opened]) t.notMatch(text, /haha|root:/)
})

t.test('nesting without end costs nothing or is refused', async t => {
  t.equal((await read('a.html', `${'<div>'.repeat(9_000)}deep`)).text, 'deep')
  t.match(await refused(read('a.html', `${'<div>'.repeat(200_000)}deep`)), {
    code: 'too_large',
    message: 'nested deeper than 10000',
  })
  t.equal((await refused(read('a.json', `${'['.repeat(200_000)}${']'.repeat(200_000)}`))).code, 'too_large')
  t.match(await refused(read('a.json', `${'{"a":'.repeat(500)}1${'}'.repeat(500)}`)), {
    code: 'too_large',
    message: 'nested deeper than 100',
  })
  t.match(await refused(read('a.md', `${'> '.repeat(20_000)}deep`, { msMax: 1_000 })), { code: /too_large|timeout/ })
})

t.test(
  'a reader that takes too long, too much memory or gives too much text is stopped, and says which limit it was',
  async t => {
    const long = 'All of this is text. '.repeat(MEGABYTE)
    t.match(await refused(read('a.txt', long, { msMax: 1, msPerMegabyte: 0 })), {
      code: 'timeout',
      message: 'longer than 0.001 s',
    })
    t.match(await refused(read('a.txt', long, { memoryBytesMax: 80 * MEGABYTE })), {
      code: 'too_large',
      message: '80 MiB of memory',
    })
    t.match(await refused(read('a.txt', long.slice(0, MEGABYTE + 1), { textBytesMax: MEGABYTE })), {
      code: 'too_large',
      message: `${MEGABYTE} bytes of text`,
    })
  },
)

t.test('time is that of the processor; a reader that uses none is stopped by the clock', async t => {
  const long = 'All of this is text. '.repeat(MEGABYTE)
  const slow = '<p>Some <b>words</b>.</p>\n'.repeat(300_000)
  t.match(await refused(read('a.html', slow, { msMax: 300, msPerMegabyte: 0 })), { code: 'timeout', message: '0.3 s' })
  const reading = refused(read('a.txt', long, { msMax: 200, msPerMegabyte: 0 }))
  const child = await childOfOurs()
  try {
    if (child) process.kill(Number(child), 'SIGSTOP')
  } catch {
    t.comment('it was stopped for its processor time before it could be held')
  }
  t.match(await reading, { code: 'timeout', message: '0.2 s' })
})

t.test('what a reader writes is counted by who reads it too', async t => {
  const headings = '# a\n\n'.repeat(3000)
  t.match(await refused(read('a.md', headings, { textBytesMax: 10_000 })), { code: 'too_large', message: '10000 bytes of text' })
})

t.test('too many pages, slides, sheets or chapters are refused', async t => {
  const pagesMax = 2
  const page = [{ text: 'One page.' }]
  t.match(await refused(read('a.pdf', pdfOf([page, page, page]), { pagesMax })), { message: '3 pages; the limit is 2' })
  const slides = await zipOf(pptxParts([shape(['a']), shape(['b']), shape(['c'])]))
  t.match(await refused(read('a.pptx', slides, { pagesMax })), { message: 'the limit is 2' })
  const sheets = await zipOf(xlsxParts({ A: '', B: '', C: '' }))
  t.match(await refused(read('a.xlsx', sheets, { pagesMax })), { message: 'the limit is 2' })
  const chapters = await zipOf(epubParts('Book', { a: '', b: '', c: '' }))
  t.match(await refused(read('a.epub', chapters, { pagesMax })), { message: 'the limit is 2' })
})

t.test('a reading that is no longer wanted ends, and the child with it', async t => {
  const wanted = new AbortController()
  const reading = refused(read('a.txt', 'All of this is text. '.repeat(MEGABYTE), {}, wanted.signal))
  const child = await childOfOurs()
  wanted.abort()
  t.equal((await reading).code, 'cancelled')
  t.notOk(child && readdirSync('/proc').includes(child) && commandOf(child).includes('child.ts'))
})

t.test(
  'the child has no environment and no permission for network, writing or processes',
  { skip: process.platform !== 'linux' },
  async t => {
    const reading = read('a.txt', 'All of this is text. '.repeat(MEGABYTE))
    const child = (await childOfOurs()) ?? ''
    t.equal(readFileSync(`/proc/${child}/environ`, 'utf8'), '')
    t.match(commandOf(child), '--permission')
    t.notMatch(commandOf(child), /--allow-(net|fs-write|child-process|worker|addons|wasi)|--allow-fs-read=(\*|\/\0)/)
    t.match(await reading, { media_type: 'text/plain' })
  },
)

t.test('a picture, a program and an archive that holds itself are not documents', async t => {
  const png = Buffer.from('89504e470d0a1a0a0000000d49484452000000010000000108060000001f15c489', 'hex')
  for (const [name, bytes] of [
    ['a.pdf', png],
    ['a.txt', Buffer.from('7f454c46020101000000000000000000', 'hex')],
    ['a.docx', Buffer.from('1f8b0800000000000003', 'hex')],
  ] as const) {
    t.equal((await refused(read(name, bytes))).code, 'unsupported_type', name)
  }
  t.equal((await refused(read('../../x', ''))).code, 'no_text')
  t.match(await read('../../x', 'Names decide nothing.'), { text: 'Names decide nothing.', media_type: 'text/plain' })
  t.match(await read('wrong.txt', pdfOf([[{ text: 'A PDF by any name.' }]])), { media_type: 'application/pdf' })
})
