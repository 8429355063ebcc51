// PDFs that loop, lie about their length, unfold without end or want to run something.
import { deflateSync } from 'node:zlib'
import { pdfOf } from '../made.ts'
import { type Hostile, words } from './set.ts'

/** A PDF of the given objects, numbered from 1; `trailer` adds to its dictionary, `start` replaces the place of the table. */
function objectsPdf(objects: (string | Buffer)[], trailer = '', start?: number): Buffer {
  const parts: Buffer[] = [Buffer.from('%PDF-1.5\n')]
  const places: number[] = []
  let length = parts[0]?.length ?? 0
  const add = (part: Buffer) => {
    parts.push(part)
    length += part.length
  }
  objects.forEach((object, i) => {
    places.push(length)
    add(Buffer.concat([Buffer.from(`${i + 1} 0 obj\n`), Buffer.from(object as string), Buffer.from('\nendobj\n')]))
  })
  const table = places.map(place => `${String(place).padStart(10, '0')} 00000 n \n`).join('')
  const end = `xref\n0 ${objects.length + 1}\n0000000000 65535 f \n${table}trailer\n<< /Size ${objects.length + 1} /Root 1 0 R ${trailer} >>\nstartxref\n${start ?? length}\n%%EOF\n`
  add(Buffer.from(end))
  return Buffer.concat(parts)
}

const catalog = '<< /Type /Catalog /Pages 2 0 R >>'
const pages = (count: number, kids = '[3 0 R]') => `<< /Type /Pages /Count ${count} /Kids ${kids} >>`
const page = (resources = '') =>
  `<< /Type /Page /Parent 2 0 R /MediaBox [0 0 612 792] /Contents 4 0 R /Resources << /Font << /F1 5 0 R >> ${resources} >> >>`
const font = '<< /Type /Font /Subtype /Type1 /BaseFont /Helvetica >>'
const draw = (said: string) => `BT /F1 12 Tf 72 700 Td (${said}) Tj ET`
const stream = (content: string | Buffer, dictionary = '') =>
  Buffer.concat([
    Buffer.from(`<< /Length ${content.length} ${dictionary} >>\nstream\n`),
    Buffer.from(content as string),
    Buffer.from('\nendstream'),
  ])

/** One page that draws `content`; more objects follow from 6 on. */
const onePage = (
  content: string | Buffer,
  { dictionary = '', resources = '', more = [] as (string | Buffer)[], trailer = '' } = {},
) => objectsPdf([catalog, pages(1), page(resources), stream(content, dictionary), font, ...more], trailer)

function deflated(content: Buffer, times: number): Buffer {
  let packed = content
  for (let i = 0; i < times; i++) packed = deflateSync(packed)
  return packed
}
const filters = (times: number) => `/Filter [${'/FlateDecode '.repeat(times)}]`
const spaces = (megabytes: number) => Buffer.alloc(megabytes * 1024 * 1024, ' ')

/** Read, or refused in an orderly way: what a tolerant reader makes of such a file is its own business. */
const orderly = /^(ready|damaged|no_text|too_large|timeout)$/

export function pdfs(): Hostile[] {
  const loop = onePage(draw('loop words'))
  const table = loop.lastIndexOf('xref\n0')
  const good = pdfOf([[{ text: words('a PDF') }]])
  const picture = '/Type /XObject /Subtype /Image /ColorSpace /DeviceRGB /BitsPerComponent 8'
  const sizes = [0.3, 0.6, 0.95]
  const wrong = (from: string, to: string) => Buffer.from(good.toString('latin1').replace(from, to), 'latin1')
  return [
    { name: 'xref-loop.pdf', bytes: onePage(draw('xref loop'), { trailer: `/Prev ${table}` }), ends: orderly },
    {
      name: 'xref-far.pdf',
      bytes: objectsPdf([catalog, pages(1), page(), stream(draw('xref far')), font], '', 99_999_999),
      ends: orderly,
    },
    {
      name: 'xref-zero.pdf',
      bytes: objectsPdf([catalog, pages(1), page(), stream(draw('xref zero')), font], '/XRefStm 0', 0),
      ends: orderly,
    },
    { name: 'pages-loop.pdf', bytes: objectsPdf([catalog, pages(1, '[2 0 R]')]), ends: orderly },
    {
      name: 'pages-chain.pdf',
      bytes: objectsPdf([
        catalog,
        ...Array.from({ length: 20_000 }, (_, i) => `<< /Type /Pages /Count 1 /Kids [${i + 3} 0 R] >>`),
        pages(1, '[2 0 R]'),
      ]),
      ends: orderly,
    },
    { name: 'pages-none.pdf', bytes: objectsPdf([catalog, pages(0, '[]')]), ends: orderly },
    {
      name: 'pages-claimed.pdf',
      bytes: objectsPdf([catalog, pages(100_000), page(), stream(draw('claimed')), font]),
      ends: /^(too_large|ready|damaged)$/,
    },
    {
      name: 'pages-negative.pdf',
      bytes: objectsPdf([catalog, pages(-5), page(), stream(draw('negative')), font]),
      ends: orderly,
    },
    {
      name: 'pages-100k.pdf',
      bytes: objectsPdf([
        catalog,
        pages(100_000, `[${Array.from({ length: 100_000 }, (_, i) => `${i + 3} 0 R`).join(' ')}]`),
        ...Array<string>(100_000).fill('<< /Type /Page /Parent 2 0 R >>'),
      ]),
      ends: /^too_large$/,
      says: /100000 pages; the limit is 5000/,
    },
    { name: 'bomb.pdf', bytes: onePage(deflated(spaces(200), 1), { dictionary: filters(1) }), ends: orderly },
    { name: 'bomb-5-deep.pdf', bytes: onePage(deflated(spaces(400), 5), { dictionary: filters(5) }), ends: orderly },
    {
      name: 'bomb-text.pdf',
      bytes: onePage(deflated(Buffer.from(`BT /F1 12 Tf ${'(bang) Tj '.repeat(8_000_000)} ET`), 1), { dictionary: filters(1) }),
      ends: orderly,
    },
    { name: 'filters-many.pdf', bytes: onePage(draw('filters'), { dictionary: filters(2000) }), ends: orderly },
    {
      name: 'form-loop.pdf',
      bytes: onePage(`${draw('form loop')} /X1 Do`, {
        resources: '/XObject << /X1 6 0 R >>',
        more: [stream('/X1 Do', '/Type /XObject /Subtype /Form /BBox [0 0 9 9] /Resources << /XObject << /X1 6 0 R >> >>')],
      }),
      ends: orderly,
    },
    {
      name: 'picture-huge.pdf',
      bytes: onePage('/X1 Do', {
        resources: '/XObject << /X1 6 0 R >>',
        more: [stream('x', `${picture} /Width 100000 /Height 100000`)],
      }),
      ends: /^no_text$/,
    },
    {
      name: 'picture-bomb.pdf',
      bytes: onePage('/X1 Do', {
        resources: '/XObject << /X1 6 0 R >>',
        more: [stream(deflated(spaces(100), 1), `${picture} /Width 6000 /Height 6000 ${filters(1)}`)],
      }),
      ends: /^no_text$/,
    },
    { name: 'length-lies.pdf', bytes: wrong('/Length', '/Length 99999999 /Was'), ends: orderly },
    { name: 'length-negative.pdf', bytes: wrong('/Length', '/Length -1 /Was'), ends: orderly },
    { name: 'length-refers-to-itself.pdf', bytes: wrong('/Length', '/Length 6 0 R /Was'), ends: orderly },
    { name: 'arrays-deep.pdf', bytes: onePage(`${'['.repeat(200_000)} TJ`), ends: orderly },
    { name: 'dictionary-deep.pdf', bytes: objectsPdf([`${'<< /A '.repeat(100_000)}1${' >>'.repeat(100_000)}`]), ends: orderly },
    {
      name: 'script.pdf',
      bytes: objectsPdf([
        '<< /Type /Catalog /Pages 2 0 R /OpenAction << /S /JavaScript /JS (while\\(true\\){}) >> >>',
        pages(1),
        page(),
        stream(draw('script words')),
        font,
      ]),
      ends: /^ready$/,
    },
    {
      name: 'launch.pdf',
      bytes: objectsPdf([
        '<< /Type /Catalog /Pages 2 0 R /OpenAction << /S /Launch /F (/bin/sh) >> >>',
        pages(1),
        page(),
        stream(draw('launch words')),
        font,
      ]),
      ends: /^ready$/,
    },
    {
      name: 'outside.pdf',
      bytes: objectsPdf([catalog, pages(1), page(), '<< /Length 0 /F (/etc/passwd) >>\nstream\n\nendstream', font]),
      ends: orderly,
      never: /root:/,
    },
    { name: 'locked.pdf', bytes: pdfOf([[{ text: 'Locked.' }]], { locked: true }), ends: /^encrypted$/ },
    ...sizes.map(share => ({
      name: `cut-${share}.pdf`,
      bytes: good.subarray(0, Math.floor(good.length * share)),
      ends: orderly,
    })),
    { name: 'mark-only.pdf', bytes: Buffer.from('%PDF-1.7'), ends: /^damaged$/ },
    { name: 'mark-late.pdf', bytes: Buffer.concat([Buffer.alloc(900, '\n'), good]), ends: orderly },
    { name: 'mark-and-zip.pdf', bytes: Buffer.concat([good, Buffer.from('PK\x03\x04')]), ends: /^ready$/ },
    { name: 'page.html', bytes: Buffer.concat([Buffer.from('<!doctype html><p>A page?</p>'), good]), ends: orderly },
    { name: 'media-box.pdf', bytes: wrong('[0 0 612 792]', '[-1e38 -1e38 1e38 1e38]'), ends: orderly },
    {
      name: 'noise.pdf',
      bytes: Buffer.concat([Buffer.from('%PDF-1.4\n'), Buffer.from(Array.from({ length: 20_000 }, (_, i) => (i * 7919) % 251))]),
      ends: /^(damaged|no_text)$/,
    },
  ]
}
