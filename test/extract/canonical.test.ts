import t from 'tap'
import type { Block } from '../../src/rag/extract/blocks.ts'
import { canonical } from '../../src/rag/extract/canonical.ts'

const at = (text: string, { start, end }: { start: number; end: number }) => Buffer.from(text).toString('utf8', start, end)

t.test('a section is the bytes of its blocks, under the path of headings above it', async t => {
  const blocks: Block[] = [
    { kind: 'heading', text: 'Größe', level: 1 },
    { kind: 'paragraph', text: '第一 😀.' },
    { kind: 'paragraph', text: 'Second.' },
    { kind: 'heading', text: 'Weight', level: 2 },
    { kind: 'table_row', text: 'a: 1', page: 2 },
    { kind: 'table_row', text: 'b: 2', page: 2 },
    { kind: 'heading', text: 'Other', level: 1 },
  ]
  const { text, sections } = canonical(blocks)
  t.equal(text, 'Größe\n\n第一 😀.\n\nSecond.\n\nWeight\n\na: 1\nb: 2\n\nOther')
  t.same(
    sections.map(section => [at(text, section), section.heading, section.page]),
    [
      ['Größe', 'Größe', undefined],
      ['第一 😀.\n\nSecond.', 'Größe', undefined],
      ['Weight', 'Größe › Weight', undefined],
      ['a: 1\nb: 2', 'Größe › Weight', 2],
      ['Other', 'Other', undefined],
    ],
  )
})

t.test('no control character, lone surrogate, byte order mark or foreign line end gets through', async t => {
  const dirty = '\ufeffa\0b\u0007c\r\nd\re\u2028f\u0085g\u009f\ud800h\udc00\ufffd\ufffei\u00ad \u{1f600}\t\u00a0'
  const { text } = canonical([{ kind: 'paragraph', text: dirty }])
  t.equal(text, 'abc\nd\ne\nf\nghi \u{1f600}')
  t.ok(text.isWellFormed())
  t.same(canonical([{ kind: 'paragraph', text: '\0 \u00a0\n\n' }]), { text: '', sections: [] })
})

t.test('blanks without end are cleaned in time that grows with their length', async t => {
  const long = [' '.repeat(1_000_000), '\n'.repeat(1_000_000), '\t \n'.repeat(300_000)]
  for (const blanks of long) t.match(canonical([{ kind: 'paragraph', text: `a${blanks}b` }]).text, /^a\s+b$/)
})

t.test('a heading is cut to a label beside a passage, never inside a character, and stays whole in the text', async t => {
  const heading = `x${'👩‍👩‍👧'.repeat(40)}`
  const { text, sections } = canonical([{ kind: 'heading', text: heading }])
  t.equal(text, heading)
  t.equal(sections[0]?.heading, `x${'👩‍👩‍👧'.repeat(14)}`)
})
