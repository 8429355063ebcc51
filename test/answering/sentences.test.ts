import t from 'tap'
import { sentences } from '../../src/answering/sentences.ts'

const cut = (text: string) => [...sentences(text)].map(({ start, end }) => text.slice(start, end).trim()).filter(Boolean)

t.test('abbreviations, initials and numbers do not end a sentence', async t => {
  t.same(cut('I met Dr. Smith of St. Mary. J. K. Rowling wrote 3.5 books. See fig. 3, e.g. here.'), [
    'I met Dr. Smith of St. Mary.',
    'J. K. Rowling wrote 3.5 books.',
    'See fig. 3, e.g. here.',
  ])
})

t.test('a reference mark belongs to the sentence before it', async t => {
  t.same(cut('It ran.[12] The next one.[3][4]: 105 More.'), ['It ran.[12]', 'The next one.[3][4]: 105', 'More.'])
})

t.test('a line end is an end, in every script there are ends', async t => {
  t.same(cut('Line one\nLine two of St.\nOn.\n\nNew'), ['Line one', 'Line two of St.', 'On.', 'New'])
  t.same(cut('他说好。这是第二句！好'), ['他说好。', '这是第二句！', '好'])
  t.same(cut('यह एक वाक्य है। दूसरा वाक्य।'), ['यह एक वाक्य है।', 'दूसरा वाक्य।'])
})

t.test('the ranges follow each other and leave nothing out', async t => {
  const text = ' A b.  C d! \n\n e.[1] Dr. F? '
  t.equal([...sentences(text)].map(({ start, end }) => text.slice(start, end)).join(''), text)
  t.same([...sentences('')], [])
})
