import t from 'tap'
import type { Format } from '../../src/rag/extract/blocks.ts'
import { canonical } from '../../src/rag/extract/canonical.ts'
import { csv } from '../../src/rag/extract/csv.ts'
import { html } from '../../src/rag/extract/html.ts'
import { json } from '../../src/rag/extract/json.ts'
import { md } from '../../src/rag/extract/md.ts'
import { txt } from '../../src/rag/extract/txt.ts'
import { read } from './made.ts'

const none = { names: [], read: async () => undefined }

async function blocks(format: Format, text: string) {
  const reading = await format({
    bytes: Buffer.from(text),
    text,
    entries: none,
    pagesMax: 10,
  })
  return reading.blocks.map(({ kind, text, level }) => `${kind}${level ?? ''}: ${text}`)
}

t.test('plain text: wrapped lines are one paragraph, verse keeps its lines, lists keep their items', async t => {
  const wrapped =
    'It was the best of times, it was the worst of times, it was\nthe age of wisdom, it was the age of foolishness, it was the\nepoch of belief.'
  const verse = 'Tyger Tyger, burning bright,\nIn the forests of the night;'
  t.same(await blocks(txt, `${wrapped}\n\n${verse}\r\n \r\n- one\n- two,\n  told further\n- three`), [
    `paragraph: ${wrapped.replaceAll('\n', ' ')}`,
    `paragraph: ${verse}`,
    'list_item: - one',
    'list_item: - two, told further',
    'list_item: - three',
  ])
})

t.test('Markdown: markup goes, words and structure stay', async t => {
  const text = `---
title: "On ducks"
---
# Ducks & *geese*

They **swim** in
ponds, [see](http://x.y) \`here\`.

- one
  - inner
1. two

| Name | Legs |
|------|------|
| Duck | 2    |

\`\`\`js
let a = 1
\`\`\`

<details><summary>More</summary><p>Hidden <b>away</b>.</p></details>
`
  t.same(await blocks(md, text), [
    'code: title: "On ducks"',
    'heading1: Ducks & geese',
    'paragraph: They swim in ponds, see here.',
    'list_item: one',
    'list_item: inner',
    'list_item: two',
    'table_row: Name: Duck | Legs: 2',
    'code: let a = 1',
    'paragraph: More',
    'paragraph: Hidden away.',
  ])
  t.equal((await read('a.md', text)).title, 'On ducks')
})

t.test('HTML: what a reader sees, in order; scripts, styles, navigation and hidden parts are counted, not read', async t => {
  const text = `<!doctype html><html><head><title>A page</title><style>p{}</style><script>if (a < b) alert("<p>no</p>")</script></head>
    <body><nav><a href=/>Home</a></nav><h2>Head&amp;tail</h2><p>One<br>two&nbsp;&#x1F600; <b>bold</b>text.
    <div hidden><p>secret</p></div><ul><li>first<li><p>second</p></ul><pre>  a\n    b</pre>
    <table><tr><th>Name<th>Age<tr><td>Ada<td>36</table>
    <table><tr><th>Born</th><td>1815</td></tr><tr><td colspan=2><table><tr><td>inner</td></tr></table></td></tr></table>
    <img src=x alt="A duck"></body></html>`
  t.same(await blocks(html, text), [
    'heading2: Head&tail',
    'paragraph: One\ntwo 😀 boldtext.',
    'list_item: first',
    'list_item: second',
    'code:   a\n    b',
    'table_row: Name: Ada | Age: 36',
    'table_row: Born: 1815',
    'table_row: inner',
    'paragraph: A duck',
  ])
  const { title, coverage } = await read('a.html', text)
  t.equal(title, 'A page')
  t.match(coverage, { tables: 3, images: 1 })
  t.ok(coverage.bytes_skipped > 'alert'.length)
})

t.test('CSV: every cell carries its label, quotes may hold anything, other delimiters are noticed', async t => {
  t.same(await blocks(csv, 'Name,Note\r\nAda,"says ""hi"",\nthen goes"\r\nMax,\r\n'), [
    'table_row: Name: Ada | Note: says "hi",\nthen goes',
    'table_row: Name: Max',
  ])
  t.same(await blocks(csv, 'Stadt;Einwohner\nBonn;330.000'), ['table_row: Stadt: Bonn | Einwohner: 330.000'])
  t.same(await blocks(csv, '1,2\n3,4'), ['table_row: 1 | 2', 'table_row: 3 | 4'])
  t.same(await blocks(csv, 'a,"never closed\nb,c'), ['table_row: a | never closed\nb,c'])
})

t.test('JSON: keys are the path, values the rows, and digits are kept as they were written', async t => {
  const text =
    '{"id": 12345678901234567890, "price": 1.10, "who": {"name": "Ada", "tags": ["x", "y"]}, "list": [{"a": 1}, {"a": 2, "in": {"b": 3}}]}'
  t.same(await blocks(json, text), [
    'table_row: id: 12345678901234567890 | price: 1.10',
    'heading1: who',
    'table_row: name: Ada',
    'heading2: tags',
    'list_item: x',
    'list_item: y',
    'heading1: list',
    'table_row: a: 1',
    'heading2: #2',
    'table_row: a: 2',
    'heading3: in',
    'table_row: b: 3',
  ])
  t.same(await blocks(json, '{"a": 1}\n{"a": 2}\n'), ['table_row: a: 1', 'table_row: a: 2'])
  t.same(await blocks(json, '// a comment\n{"a": 1}'), ['paragraph: // a comment\n{"a": 1}'])
})

t.test('text that only looks like something else is still read', async t => {
  t.match(await read('a', '{"a": [1, 2]}'), { media_type: 'application/json', text: 'a\n\n1\n2' })
  t.match(await read('a.bin', 'BMW makes cars.'), { media_type: 'text/plain', text: 'BMW makes cars.' })
  t.match(await read('a.txt', '<!-- x --><HTML><body>Shown.</body>'), { media_type: 'text/html', text: 'Shown.' })
  t.match(await read('a.md', 'PK is a fine thing to begin with.'), { media_type: 'text/markdown' })
})

t.test('a surrogate that JSON wrote as an escape does not reach the text', async t => {
  const { blocks: made } = await json({ bytes: Buffer.alloc(0), text: '{"a": "x\\ud800y\\u0000z"}', entries: none, pagesMax: 1 })
  t.equal(canonical(made).text, 'a: xyz')
})
