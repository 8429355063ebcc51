// Archives that want to grow, to reach out of themselves or to be read otherwise than they look, once for each format that is one.
import { docxEntries, paragraph } from '../made.ts'
import { epubParts, pptxParts, shape, xlsxParts } from '../office.ts'
import { type Hostile, words } from './set.ts'
import { type RawEntry, rawZip, zeros } from './zip.ts'

type Parts = Record<string, string | Buffer>
interface Kind {
  main: string
  /** The parts of a document that says `said`, with `prolog` before the root of the part that holds the text. */
  parts: (said: string, prolog?: string) => Parts
}

const declaration = /^<\?xml[^>]*>/
const withProlog = (parts: Parts, name: string, prolog: string) => ({
  ...parts,
  [name]: String(parts[name]).replace(declaration, `$&${prolog}`),
})
const kinds: Record<string, Kind> = {
  docx: { main: 'word/document.xml', parts: (said, prolog) => docxEntries(paragraph(said), prolog) },
  pptx: {
    main: 'ppt/presentation.xml',
    parts: (said, prolog = '') => withProlog(pptxParts([shape([said])]), 'ppt/slides/slide1.xml', prolog),
  },
  xlsx: {
    main: 'xl/workbook.xml',
    parts: (said, prolog = '') =>
      withProlog(xlsxParts({ A: `<row><c t="inlineStr"><is><t>${said}</t></is></c></row>` }), 'xl/worksheets/sheet1.xml', prolog),
  },
  epub: {
    main: 'META-INF/container.xml',
    parts: (said, prolog = '') =>
      withProlog(
        epubParts('Book', { 'a.xhtml': `<?xml version="1.0"?><html><body><p>${said}</p></body></html>` }),
        'OEBPS/a.xhtml',
        prolog,
      ),
  },
}

const raw = (parts: Parts): RawEntry[] => Object.entries(parts).map(([name, content]) => ({ name, content }))
const laughs = `<!DOCTYPE d [<!ENTITY l0 "ha">${Array.from({ length: 30 }, (_, i) => `<!ENTITY l${i + 1} "${`&l${i};`.repeat(10)}">`).join('')}]>`
const outside = '<!DOCTYPE d [<!ENTITY file SYSTEM "file:///etc/passwd"><!ENTITY % net SYSTEM "http://127.0.0.1:9/x"> %net;]>'

function ofKind(kind: string, { main, parts }: Kind): Hostile[] {
  const name = (what: string) => `${what}.${kind}`
  const good = (mark: string) => raw(parts(words(`${mark} ${kind}`)))
  const whole = rawZip(good('cut'))
  const damaged = /^damaged$/
  const tooLarge = { ends: /^too_large$/, says: /200 times its size|500000000|524288000|limit/ }
  const shared = { name: 'media/again', content: '', at: 0 }
  return [
    { name: name('zeros'), bytes: rawZip([...good('zeros'), zeros(40)]), ...tooLarge },
    {
      name: name('overlapping'),
      bytes: rawZip(
        [zeros(12), ...Array<RawEntry>(200).fill(shared), ...good('overlap')].map((e, i) => ({
          ...e,
          name: e === shared ? `again${i}` : e.name,
        })),
      ),
      ...tooLarge,
    },
    { name: name('says-small'), bytes: rawZip([...good('small'), { ...zeros(40), size: 10 }]), ...tooLarge },
    {
      name: name('says-large'),
      bytes: rawZip([...good('large'), { name: 'x.xml', content: 'x', size: 0xfffffff0 }]),
      ends: damaged,
    },
    { name: name('says-other'), bytes: rawZip([...good('other'), { name: 'x.xml', content: 'x', crc: 7 }]), ends: damaged },
    {
      name: name('crowd'),
      bytes: rawZip([
        ...good('crowd'),
        ...Array.from({ length: 10_001 }, (_, i) => ({ name: `e${i}`, content: '', stored: true })),
      ]),
      ends: /^too_large$/,
      says: /the limit is 10000/,
    },
    {
      name: name('slip'),
      bytes: rawZip([
        ...good('slip'),
        ...['../../../tmp/slipped', '/tmp/slipped', '..\\..\\slipped', 'C:\\slipped'].map(path => ({ name: path, content: 'x' })),
      ]),
      ends: /^ready$/,
    },
    {
      name: name('link'),
      bytes: rawZip([...good('link'), { name: 'media/link', content: '/etc/passwd', mode: 0o120777 }]),
      ends: /^ready$/,
      never: /root:/,
    },
    {
      name: name('main-link'),
      bytes: rawZip(good('main-link').map(e => (e.name === main ? { ...e, content: '/etc/passwd', mode: 0o120777 } : e))),
      ends: /^(damaged|no_text)$/,
      never: /root:/,
    },
    { name: name('twice'), bytes: rawZip([...good('twice'), ...good('twice again')]), ends: /^ready$/ },
    { name: name('locked'), bytes: rawZip(good('locked').map(e => ({ ...e, flags: 1 }))), ends: /^encrypted$/ },
    {
      name: name('nested'),
      bytes: rawZip([...good('nested'), { name: 'embedded/a.zip', content: rawZip([zeros(60)]), stored: true }]),
      ends: /^ready$/,
    },
    { name: name('method'), bytes: rawZip(good('method').map(e => ({ ...e, method: 99 }))), ends: damaged },
    { name: name('miscounted'), bytes: rawZip(good('miscounted'), 60_000), ends: /^(damaged|ready)$/ },
    ...[0.1, 0.5, 0.9].map(share => ({
      name: name(`cut-${share}`),
      bytes: whole.subarray(0, Math.floor(whole.length * share)),
      ends: damaged,
    })),
    {
      name: name('hollow'),
      bytes: rawZip([
        { name: main, content: '' },
        { name: 'x', content: kind },
      ]),
      ends: /^(damaged|no_text)$/,
    },
    {
      name: name('gibberish'),
      bytes: rawZip(raw(Object.fromEntries(Object.keys(parts('')).map(part => [part, `<<<&&&${part}>>`])))),
      ends: /^(damaged|no_text)$/,
    },
    {
      name: name('laughs'),
      bytes: rawZip(raw(parts(`before &l30; after ${kind}`, laughs))),
      ends: /^(ready|damaged)$/,
      never: /haha/,
    },
    {
      name: name('outside'),
      bytes: rawZip(raw(parts(`before &file; after ${kind}`, outside))),
      ends: /^(ready|damaged)$/,
      never: /root:/,
    },
    {
      name: name('deep'),
      bytes: rawZip(raw(parts(`${'<b>'.repeat(150_000)}deep${'</b>'.repeat(150_000)}`))),
      ends: /^(too_large|damaged|timeout)$/,
    },
    {
      name: name('prefixed'),
      bytes: Buffer.concat([Buffer.from(`MZ\0\0\0\0\0\0${'\0'.repeat(300)}`), whole]),
      ends: /^(unsupported_type|ready)$/,
    },
  ]
}

/** Parts by the ten thousand, and numbers that lead nowhere. */
function crowded(): Hostile[] {
  const many = 5001
  const limit = { ends: /^too_large$/, says: /the limit is 5000/ }
  const rows = Array.from({ length: 20_000 }, () => '<row><c r="XFD1"><v>1</v></c></row>').join('')
  const odd =
    '<row r="999999999999"><c r="ZZZZZZ1"><v>1</v></c><c r="A-1" t="s"><v>-1</v></c><c t="s"><v>1e9</v></c><c s="999"><v>1e999</v></c><c t="inlineStr"><is><t>odd words</t></is></c></row>'
  return [
    { name: 'slides.pptx', bytes: rawZip(raw(pptxParts(Array<string>(many).fill('')))), ...limit },
    {
      name: 'sheets.xlsx',
      bytes: rawZip(raw(xlsxParts(Object.fromEntries(Array.from({ length: many }, (_, i) => [`s${i}`, '']))))),
      ...limit,
    },
    {
      name: 'chapters.epub',
      bytes: rawZip(raw(epubParts('Many', Object.fromEntries(Array.from({ length: many }, (_, i) => [`c${i}`, '']))))),
      ...limit,
    },
    { name: 'wide.xlsx', bytes: rawZip(raw(xlsxParts({ Wide: rows }))), ends: /^(too_large|timeout)$/ },
    { name: 'odd.xlsx', bytes: rawZip(raw(xlsxParts({ Odd: odd }))), ends: /^ready$/ },
    {
      name: 'loop.pptx',
      bytes: rawZip(
        raw({
          ...pptxParts([shape(['loop words'])]),
          'ppt/slides/_rels/slide1.xml.rels':
            '<Relationships><Relationship Id="a" Type="x/notesSlide" Target="slide1.xml"/></Relationships>',
        }),
      ),
      ends: /^ready$/,
    },
    {
      name: 'away.pptx',
      bytes: rawZip(
        raw({
          ...pptxParts([shape(['away words'])]),
          'ppt/slides/_rels/slide1.xml.rels':
            '<Relationships><Relationship Id="a" Type="x/notesSlide" TargetMode="External" Target="file:///etc/passwd"/></Relationships>',
        }),
      ),
      ends: /^ready$/,
      never: /root:/,
    },
    {
      name: 'up.epub',
      bytes: rawZip(
        raw({
          ...epubParts('Up', {}),
          'OEBPS/book.opf':
            '<package><manifest><item id="a" href="../../../../etc/passwd"/></manifest><spine><itemref idref="a"/></spine></package>',
        }),
      ),
      ends: /^no_text$/,
      never: /root:/,
    },
  ]
}

export const archives = (): Hostile[] => [...Object.entries(kinds).flatMap(([kind, of]) => ofKind(kind, of)), ...crowded()]
