// Texts without end or sense, files that are not what their names say, and names that no file should have.
import { pdfOf } from '../made.ts'
import { type Hostile, words } from './set.ts'

const bytes = (hex: string) => Buffer.from(hex, 'hex')
const utf8 = (text: string) => Buffer.from(text)

function texts(): Hostile[] {
  const read = /^ready$/
  return [
    { name: 'deep.html', bytes: utf8(`${'<div>'.repeat(300_000)}deep`), ends: /^too_large$/, says: /nested deeper than 10000/ },
    { name: 'attributes.html', bytes: utf8(`<p ${'a=b '.repeat(300_000)}>attributes</p>`), ends: read },
    { name: 'attribute.html', bytes: utf8(`<p title="${'x'.repeat(3_000_000)}">attribute`), ends: read },
    { name: 'comment.html', bytes: utf8(`<html><!-- ${'- '.repeat(500_000)}`), ends: /^no_text$/ },
    { name: 'table.html', bytes: utf8(`<html>${'<table><tr><td>'.repeat(3_000)}table`), ends: /^(ready|too_large)$/ },
    {
      name: 'span.html',
      bytes: utf8('<html><table><tr><th colspan=999999999>wide</th></tr><tr><td>span</td></tr></table>'),
      ends: read,
    },
    {
      name: 'script.html',
      bytes: utf8('<html><script>while(true){}</script><p>scripted</p><img src="file:///etc/passwd">'),
      ends: read,
    },
    {
      name: 'entities.html',
      bytes: utf8(`<html><p>entities &#0; &#xD800; &#x110000; &#99999999999; ${'&amp'.repeat(2_000)}`),
      ends: read,
      never: /\0|\ufffd/,
    },
    {
      name: 'outside.svg',
      bytes: utf8(
        '<?xml version="1.0"?><!DOCTYPE svg [<!ENTITY x SYSTEM "file:///etc/passwd">]><svg><text>&x; drawn</text></svg>',
      ),
      ends: /^(ready|no_text)$/,
      never: /root:/,
    },
    { name: 'deep.json', bytes: utf8(`${'[{"a":'.repeat(20_000)}1${'}]'.repeat(20_000)}`), ends: /^too_large$/ },
    {
      name: 'keys.json',
      bytes: utf8(`{${Array.from({ length: 300 }, (_, i) => `"k${i}":"v"`).join()},"__proto__":{"x":1}}`),
      ends: read,
    },
    { name: 'number.json', bytes: utf8(`{"number":1${'0'.repeat(9_000)}}`), ends: read },
    { name: 'quotes.md', bytes: utf8(`${'> '.repeat(30_000)}deep`), ends: /^(too_large|timeout)$/ },
    { name: 'brackets.md', bytes: utf8(`${'['.repeat(5_000)}a`), ends: /^(ready|too_large|timeout)$/ },
    { name: 'stars.md', bytes: utf8(`${'*a _b '.repeat(1_000)}`), ends: /^(ready|too_large|timeout)$/ },
    { name: 'quote.csv', bytes: utf8(`a,b\n"${'never closed '.repeat(600)}`), ends: read },
    {
      name: 'columns.csv',
      bytes: utf8(`${Array.from({ length: 1_000 }, (_, i) => `c${i}`).join()}\n${'1,'.repeat(1_000)}`),
      ends: read,
    },
    { name: 'delimiters.csv', bytes: utf8(`${',;\t|'.repeat(200_000)}`), ends: /^no_text$/ },
    { name: 'line.txt', bytes: utf8('x'.repeat(20_000)), ends: read },
    { name: 'marks.txt', bytes: utf8(`a${'\u0301'.repeat(5_000)} marks`), ends: read },
    { name: 'blanks.txt', bytes: utf8(' \t'.repeat(1_000_000)), ends: /^no_text$/ },
    { name: 'signs.txt', bytes: utf8('🙂 — … ☂'.repeat(50)), ends: /^no_text$/ },
    { name: 'escapes.txt', bytes: utf8('\u001b[2J\u001b]0;title\u0007 escaped words'), ends: read, never: /[^\P{Cc}\n\t]/u },
    { name: 'turned.txt', bytes: utf8('\u202eright to left\u202c and back'), ends: read },
    {
      name: 'halves.txt',
      bytes: Buffer.concat([bytes('eda080edb080c0afe08080f4908080'), utf8(' half words'.repeat(30))]),
      ends: /^(ready|unsupported_type)$/,
      never: /\ufffd/,
    },
    { name: 'zeros.txt', bytes: Buffer.alloc(50_000), ends: /^(unsupported_type|no_text)$/ },
    { name: 'ones.txt', bytes: Buffer.alloc(5_000, 0xff), ends: /^(unsupported_type|no_text|ready)$/, never: /\ufffd/ },
    { name: 'mark.txt', bytes: bytes('efbbbf'), ends: /^no_text$/ },
    {
      name: 'wide.txt',
      bytes: Buffer.concat([bytes('fffe'), Buffer.from('odd words', 'utf16le'), bytes('41')]),
      ends: read,
      never: /\ufffd/,
    },
    { name: 'nothing.txt', bytes: Buffer.alloc(0), ends: /^no_text$/, says: /empty/ },
  ]
}

/** The first bytes of what is no document, each under a name that says it is one. */
function strangers(): Hostile[] {
  const heads: Record<string, string> = {
    'png.pdf': '89504e470d0a1a0a0000000d49484452ffffffffffffffff0806000000',
    'gif.docx': '474946383961ffffffff800000000000ffffff21f90400000000002c',
    'jpeg.txt': 'ffd8ffe000104a46494600010100000100010000ffdb0043000101010101',
    'webp.md': '52494646ffffffff57454250565038580a00000000000000ffffffffffff',
    'tiff.csv': '49492a0008000000010000010300ffffffff000000000000000000000000',
    'elf.txt': '7f454c4602010100000000000000000003003e0001000000',
    'exe.docx': '4d5a90000300000004000000ffff0000b800000000000000400000000000',
    'gzip.docx': '1f8b08000000000000034bcc4a04000000ffff',
    '7z.xlsx': '377abcaf271c00040000000000000000000000000000000000000000',
    'rar.epub': '526172211a0701003392b5e50a010506000501018080',
    'mp3.txt': '4944330300000000000a5453534500000000000000000000fffb9000',
    'mp4.pdf': '0000001866747970697361d6000002006973366d69736f320000000866726565',
    'class.html': 'cafebabe0000003400100a0003000d07000e07000f010006',
    'wasm.json': '0061736d010000000105016000017f03020100070801',
    'sqlite.csv': '53514c69746520666f726d6174203300100001010040202000000001',
    'pcap.txt': 'd4c3b2a1020004000000000000000000ffff000001000000',
    'rtf.txt': '7b5c727466315c616e73692048656c6c6f7d',
    'word-97.doc': 'd0cf11e0a1b11ae1000000000000000000000000000000003e000300feff0900',
    'woff.html': '774f46460001000000000000000d000000000000000000000000',
    'bzip2.txt': '425a68393141592653594ef6c6e400000008800a',
  }
  const heavy = Object.entries(heads).map(([name, hex]) => ({
    name,
    bytes: bytes(hex),
    ends: /^unsupported_type$/,
    says: /the types are txt, md/,
  }))
  return [
    ...heavy,
    { name: 'a-pdf.docx', bytes: pdfOf([[{ text: words('the wrong docx') }]]), ends: /^ready$/ },
    { name: 'a-pdf.txt', bytes: pdfOf([[{ text: words('the wrong txt') }]]), ends: /^ready$/ },
    { name: 'a-page.pdf', bytes: utf8('<!doctype html><p>A page called PDF.</p>'), ends: /^ready$/ },
    { name: 'a-text.xlsx', bytes: utf8(words('a text called xlsx')), ends: /^ready$/ },
    { name: 'a-text.exe', bytes: utf8(words('a text called exe')), ends: /^ready$/ },
    { name: 'json.html', bytes: utf8('{"called": "html"}'), ends: /^ready$/ },
  ]
}

/** Good documents under bad names; none of them may be refused for its name, nor reach a path. */
function named(): Hostile[] {
  const names = [
    'é.txt',
    'e\u0301e.txt',
    '文件.txt',
    '🙂👩‍👩‍👧.txt',
    'ملف.txt',
    '\u202Etxt.exe',
    '\u200b.txt',
    `${'a'.repeat(251)}.txt`,
    `${'文'.repeat(200)}.txt`,
    'x'.repeat(1000),
  ]
  const paths = [
    '../../../tmp/up.txt',
    '/etc/passwd',
    'C:\\Windows\\a.txt',
    '.',
    '..',
    '.htaccess',
    'CON',
    'a.txt ',
    'a.',
    '-rf',
    '~',
    'a\tb.txt',
  ]
  const scripts = [
    '"; rm -rf ~; ".txt',
    '$(id).txt',
    '<script>alert(1)</script>.html',
    "' OR 1=1 --",
    '%2e%2e%2f',
    'a;filename=b.txt',
    'a%00.txt',
    '{{7*7}}',
    'no ending',
    'many.dots.tar.gz.txt',
  ]
  return [...names, ...paths, ...scripts].map((name, i) => ({ name, bytes: utf8(words(`name ${i}`)), ends: /^ready$/ }))
}

export const others = (): Hostile[] => [...texts(), ...strangers(), ...named()]
