import t from 'tap'
import { inContext } from '../../src/agent/followups.ts'

const subject = 'How large was the barley harvest of Lomma in 2018?'
const first = 'Who built the mill?'

t.test('a question without a subject of its own is asked together with the one that has it', async t => {
  for (const question of [
    'and in 2019?',
    'In 2019?',
    '2019?',
    'Why?',
    'How many?',
    'What about Malmö?',
    'for wheat?',
    'Was it larger in 2019?',
    'Who measured it?',
    'Und in Malmö?',
    'Et à Malmö ?',
  ]) {
    t.equal(inContext(question, [first, subject]), `${subject} ${question}`, question)
    t.equal(inContext(question, []), question)
  }
})

t.test('a chain of them goes back to the question that began it', async t => {
  t.equal(inContext('and in 2020?', [first, subject, 'and in 2019?']), `${subject} and in 2019? and in 2020?`)
  t.equal(inContext('why?', ['and?', 'but why?']), 'and? but why? why?', 'as far as there is anything')
  const chain = Array.from({ length: 20 }, (_, year) => `and in ${2000 + year}?`)
  t.equal(inContext('why?', [subject, ...chain]).split('?').length - 1, 6, 'but not for ever')
})

t.test('a question that stands alone is asked alone', async t => {
  for (const question of [
    'When was the north well sealed?',
    'Who is Ines Okafor?',
    'In which year was the north well sealed by Ines Okafor?',
    'Barley prices',
    'How long must the kiln cool before it is opened by the miller?',
    '灯塔是什么时候更换的？',
  ])
    t.equal(inContext(question, [first, subject]), question, question)
})

t.test('of what it leans on the end is taken, however long that is', async t => {
  const question = `and who? ${'x'.repeat(5000)}`
  const asked = inContext(question, ['zebra park '.repeat(100_000), '😀'.repeat(5000)])
  t.ok(asked.endsWith(question), 'the question itself stays whole')
  t.ok(asked.length <= question.length + 2001, `${asked.length} characters`)
  t.ok(asked.isWellFormed())
})
