import t from 'tap'
import { type Chunk, chunk } from '../../src/rag/chunk.ts'
import type { Block } from '../../src/rag/extract/blocks.ts'
import { canonical, type Section } from '../../src/rag/extract/canonical.ts'

/** Counts as a WordPiece model does: pieces of four letters, every sign its own, two marks around; an endless word is one unknown. */
function countTokens(text: string): number {
  const words = text.match(/[\p{L}\p{M}\p{N}]+|[^\p{L}\p{M}\p{N}\s]/gu) ?? []
  return words.reduce((count, word) => count + (word.length > 100 ? 1 : Math.ceil(word.length / 4)), 2)
}

/** A small seeded generator (mulberry32), so that a failure can be looked at again. */
function seeded(seed: number): (below: number) => number {
  let state = seed
  return below => {
    state = (state + 0x6d2b79f5) | 0
    let mixed = Math.imul(state ^ (state >>> 15), 1 | state)
    mixed = (mixed + Math.imul(mixed ^ (mixed >>> 7), 61 | mixed)) ^ mixed
    return ((mixed ^ (mixed >>> 14)) >>> 0) % below
  }
}

const parts = [
  'a',
  'word ',
  'é',
  'e\u0301',
  'Ende. ',
  'Ja! ',
  '第一',
  '。',
  'ไทยภาษา',
  'हिन्दी ',
  '👨‍👩‍👧‍👦',
  '🇩🇪🇫🇷',
  '👍🏽',
  ' ',
  '  ',
  '\n',
  '\n\n',
  '\t',
  '[12]',
  'Dr. ',
  '각',
  '\u200d',
  '\u0600',
  '0',
  '—',
  'x'.repeat(40),
]
const graphemes = new Intl.Segmenter('und')

/** A document of a seed: blocks of anything, so that every kind of border meets every other. */
function documentOf(seed: number): { text: string; sections: Section[] } {
  const below = seeded(seed)
  const kinds = ['heading', 'paragraph', 'paragraph', 'list_item', 'table_row', 'code'] as const
  const blocks: Block[] = Array.from({ length: 1 + below(12) }, () => ({
    kind: kinds[below(kinds.length)] ?? 'paragraph',
    text: Array.from({ length: below(80) }, () => parts[below(parts.length)]).join(''),
    level: 1 + below(3),
    page: 1 + below(2),
  }))
  return canonical(blocks)
}

/** Where a text may be cut: before every grapheme, and inside one that is too long for a chunk by itself. */
function bordersOf(text: string, tokensMax: number): Set<number> {
  const borders = new Set<number>([0])
  let at = 0
  for (const { segment } of graphemes.segment(text)) {
    const isTooLong = countTokens(segment) > tokensMax
    for (const part of isTooLong ? segment : [segment]) {
      at += Buffer.byteLength(part)
      borders.add(at)
    }
  }
  return borders
}

/** A blank that a mark stands on is no blank. */
function hasBlankEnds(content: string): boolean {
  const all = [...graphemes.segment(content)].map(({ segment }) => segment)
  return !all[0]?.trim() || !all.at(-1)?.trim()
}

function holdsAll(text: string, chunks: Chunk[]): boolean {
  const bytes = Buffer.from(text)
  const held = Buffer.alloc(bytes.length)
  for (const { start_byte, end_byte } of chunks) held.fill(1, start_byte, end_byte)
  let at = 0
  return [...text].every(character => {
    const from = at
    at += Buffer.byteLength(character)
    return /\s/.test(character) || held.subarray(from, at).every(Boolean)
  })
}

t.test('for any text, chunks are its bytes in order, hold all of it, fit the window and cut no grapheme', async t => {
  for (let seed = 1; seed <= 300; seed++) {
    const { text, sections } = documentOf(seed)
    const tokensMax = 10 + (seed % 60)
    const overlapTokens = seed % 3 === 0 ? tokensMax * 2 : seed % 20
    const chunks = chunk(text, seed % 5 === 0 ? [] : sections, { countTokens, tokensMax, overlapTokens })
    const bytes = Buffer.from(text)
    const borders = bordersOf(text, tokensMax)
    const faults = chunks.flatMap(({ start_byte, end_byte, content }, index) => [
      ...(content === bytes.toString('utf8', start_byte, end_byte) && content !== '' ? [] : [`${index} is not its bytes`]),
      ...(hasBlankEnds(content) ? [`${index} has blanks around`] : []),
      ...(countTokens(content) <= tokensMax ? [] : [`${index} has ${countTokens(content)} tokens`]),
      ...(borders.has(start_byte) && borders.has(end_byte) ? [] : [`${index} cuts a grapheme`]),
      ...(end_byte > (chunks[index - 1]?.end_byte ?? 0) && start_byte > (chunks[index - 1]?.start_byte ?? -1)
        ? []
        : [`${index} goes back`]),
    ])
    if (faults.length || !holdsAll(text, chunks)) t.fail(`seed ${seed}`, { faults, text })
  }
  t.pass('300 documents')
})

t.test('a long text without a blank, without a stop or of one character ends, with the work bounded by its length', async t => {
  const size = 500_000
  for (const [name, unit] of Object.entries({
    letters: 'a',
    families: '👨‍👩‍👧‍👦',
    marks: '\u0301',
    lines: 'ab\n',
    chinese: '这是第二句话没有标点',
    sentences: 'It is so. ',
  })) {
    const text = `x${unit.repeat(size / unit.length)}`
    let counted = 0
    const counting = (piece: string) => {
      counted += piece.length
      return countTokens(piece)
    }
    const chunks = chunk(text, [], { countTokens: counting, tokensMax: 128, overlapTokens: 1_000 })
    t.equal(chunks.at(-1)?.end_byte, Buffer.byteLength(text.trimEnd()), name)
    t.ok(counted < text.length * 12, `${name}: ${(counted / text.length).toFixed(1)} times its length counted`)
    t.ok(Math.max(...chunks.map(({ content }) => Buffer.byteLength(content))) <= 128 * 12, name)
  }
})

t.test('a chunk ends with a sentence and begins a new one where a heading stands', async t => {
  const filler = Array.from({ length: 6 }, (_, index) => `Sentence number ${index} is this one.`).join(' ')
  const { text, sections } = canonical([
    { kind: 'heading', text: 'One', level: 1 },
    { kind: 'paragraph', text: filler, page: 1 },
    { kind: 'heading', text: 'Two', level: 2, page: 2 },
    { kind: 'paragraph', text: filler, page: 2 },
  ])
  const chunks = chunk(text, sections, { countTokens, tokensMax: 40, overlapTokens: 0 })
  t.ok(chunks.every(({ content }) => content.endsWith('.')))
  const second = chunks.find(({ content }) => content.startsWith('Two\n\nSentence number 0'))
  t.match(second, { page: 2, heading: 'One › Two' })
  t.match(chunks[0], { heading: 'One', content: /^One\n\nSentence/ })
})

t.test('small sections share a chunk, under the path they have in common', async t => {
  const { text, sections } = canonical([
    { kind: 'heading', text: 'Staff', level: 1 },
    { kind: 'heading', text: 'Ada', level: 2 },
    { kind: 'paragraph', text: 'Writes.' },
    { kind: 'heading', text: 'Max', level: 2 },
    { kind: 'paragraph', text: 'Reads.' },
  ])
  t.same(chunk(text, sections, { countTokens, tokensMax: 100, overlapTokens: 0 }), [
    { start_byte: 0, end_byte: Buffer.byteLength(text), content: text, heading: 'Staff' },
  ])
})

t.test('siblings are under what is above both', async t => {
  const sections: Section[] = [
    { start: 0, end: 7, kind: 'paragraph', heading: 'Staff › Ada' },
    { start: 9, end: 15, kind: 'paragraph', heading: 'Staff › Max' },
  ]
  const [only] = chunk('Writes.\n\nReads.', sections, { countTokens, tokensMax: 100, overlapTokens: 0 })
  t.equal(only?.heading, 'Staff')
})

t.test('the count of the whole chunk decides, also for a tokenizer that counts what lies between sentences', async t => {
  const text = 'One is so.   Two is so.   Six is so.   Ten is so.'
  const chunks = chunk(text, [], { countTokens: piece => piece.length, tokensMax: 32, overlapTokens: 10 })
  t.ok(chunks.every(({ content }) => content.length <= 32))
  t.ok(holdsAll(text, chunks))
})

t.test('the overlap repeats whole sentences up to its tokens, and never rows of a table', async t => {
  const prose = canonical([{ kind: 'paragraph', text: 'One two six. Ten cat dog. Pig hen cow. Ant bee fly.' }])
  const [first, second] = chunk(prose.text, prose.sections, { countTokens, tokensMax: 14, overlapTokens: 4 })
  t.equal(first?.content, 'One two six. Ten cat dog. Pig hen cow.')
  t.equal(second?.content, 'Pig hen cow. Ant bee fly.')
  const table = canonical(['One two six', 'Ten cat dog', 'Pig hen cow', 'Ant bee fly'].map(text => ({ kind: 'table_row', text })))
  t.same(
    chunk(table.text, table.sections, { countTokens, tokensMax: 8, overlapTokens: 4 }).map(({ content }) => content),
    ['One two six\nTen cat dog', 'Pig hen cow\nAnt bee fly'],
  )
})

t.test('nothing gives no chunks; a window too small for anything still gives all of it', async t => {
  t.same(chunk('', [], { countTokens, tokensMax: 10, overlapTokens: 0 }), [])
  t.same(chunk(' \n ', [], { countTokens, tokensMax: 10, overlapTokens: 0 }), [])
  const tight = chunk('a b 😀', [], { countTokens, tokensMax: 1, overlapTokens: 5 })
  t.same(
    tight.map(({ content }) => content),
    ['a', 'b', '😀'],
  )
})
