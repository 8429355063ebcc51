import t from 'tap'
import { answer } from '../../src/answering/answer.ts'

const text = `History

The company was founded by Ada Byron in a shed near Basel in 1911. It moved to Köln 😀 two years later. The shed burned down because a stove was left on.

Figures

In 2023 it employed 4,200 people. Most of them work in Köln. Its profit was small.`

/** Passages as a search gives them: parts of one canonical text, each with the byte it begins at. */
function passages(scores: [string, number][]) {
  return scores.map(([content, score]) => ({ content, score, start_byte: Buffer.from(text).indexOf(content) }))
}
const whole = passages([[text, 0.6]])
const first = (question: string, given = whole) => answer(question, given, { scoreMin: 0.3, sentencesMax: 1 }).sentences[0]?.text

t.test('the sentence that has what was asked for comes first', async t => {
  t.match(first('Who founded the company?'), 'Ada Byron')
  t.match(first('When was the company founded?'), '1911')
  t.match(first('How many people does it employ?'), '4,200')
  t.match(first('Why did the shed burn?'), 'because a stove')
  t.match(first('Where did the company move to?'), 'Köln')
  const equal = [{ content: 'People like to work for the firm. There 42 people work for the firm.', score: 0.5, start_byte: 0 }]
  t.match(first('How many people work for the firm?', equal), '42')
})

t.test('what is quoted is exactly the bytes it says it is', async t => {
  const half = text.slice(text.indexOf('It moved'))
  const given = passages([
    [half, 0.5],
    [text, 0.4],
  ])
  const { sentences } = answer('Where did the company move to, and how many people work there?', given, {
    scoreMin: 0.3,
    sentencesMax: 9,
  })
  t.ok(sentences.length > 1)
  for (const { start_byte, end_byte, text: quote } of sentences) {
    t.equal(Buffer.from(text).toString('utf8', start_byte, end_byte), quote)
    t.equal(quote, quote.trim())
  }
  t.equal(new Set(sentences.map(({ text: quote }) => quote)).size, sentences.length)
})

t.test('a heading is never an answer, though it has the words', async t => {
  t.notMatch(
    answer('history figures', whole, { scoreMin: 0.3, sentencesMax: 9 }).sentences.map(({ text: quote }) => quote),
    ['History'],
  )
  t.same(answer('history', passages([['History\n\n', 0.9]]), { scoreMin: 0.3 }).grounded, false)
})

t.test('nothing is grounded without a passage that is good enough and shares words or meaning', async t => {
  const question = 'Who founded the company?'
  const nothing = { grounded: false, sentences: [] }
  t.same(answer(question, [], { scoreMin: 0.3 }), nothing)
  t.same(answer(question, passages([[text, 0.29]]), { scoreMin: 0.3 }), nothing)
  t.equal(answer(question, passages([[text, 0.3]]), { scoreMin: 0.3 }).grounded, true)
  t.same(answer('Which volcano erupted yesterday?', passages([[text, 0.4]]), { scoreMin: 0.3 }), nothing)
  t.equal(answer('Which volcano erupted yesterday?', passages([[text, 0.6]]), { scoreMin: 0.3 }).grounded, true)
})

t.test('the same question and passages give the same answer, and the order of equals is that of the passages', async t => {
  const twice = [1, 2].map(() => JSON.stringify(answer('Where do most people work?', whole, { scoreMin: 0.3 })))
  t.equal(twice[0], twice[1])
  const equal = ['The cat sat. Yes.', 'The cat sat. No.'].map((content, index) => ({
    content,
    score: 0.5,
    start_byte: index * 100,
  }))
  t.equal(answer('Where sat the cat?', equal, { scoreMin: 0.3, sentencesMax: 1 }).sentences[0]?.passage, 0)
})

t.test('no more sentences than asked for, and only those near the best', async t => {
  t.equal(answer('company people small shed', whole, { scoreMin: 0.3 }).sentences.length, 3)
  const { sentences } = answer('When was the company founded?', whole, { scoreMin: 0.3, sentencesMax: 9 })
  t.notMatch(sentences.map(({ text: quote }) => quote).join(' '), 'profit')
})

t.test('other languages and scripts are answered too', async t => {
  const cases: [string, string, string][] = [
    ['公司是哪一年成立的？', '公司很大。公司成立于1911年。它在北京。', '公司成立于1911年。'],
    [
      'Wann wurde die Firma gegründet?',
      'Die Firma ist groß. Die Firma wurde 1911 gegründet. Sie liegt am Rhein.',
      'Die Firma wurde 1911 gegründet.',
    ],
    ['متى تأسست الشركة؟', 'الشركة كبيرة. تأسست الشركة سنة 1911. مقرها في القاهرة.', 'تأسست الشركة سنة 1911.'],
    ['कंपनी की स्थापना कब हुई?', 'कंपनी बड़ी है। कंपनी की स्थापना 1911 में हुई। यह दिल्ली में है।', 'कंपनी की स्थापना 1911 में हुई।'],
    ['บริษัทก่อตั้งเมื่อใด', 'อากาศร้อนมาก\nบริษัทก่อตั้งเมื่อปี 1911\nแมวนอนหลับ', 'บริษัทก่อตั้งเมื่อปี 1911'],
  ]
  for (const [question, content, expected] of cases) {
    t.equal(first(question, [{ content, score: 0.5, start_byte: 0 }]), expected)
  }
})

t.test('rows of a table answer one by one', async t => {
  const content = 'Name: Ada | Age: 36\nName: Max | Age: 40'
  t.equal(first('How old is Max? Age', [{ content, score: 0.5, start_byte: 0 }]), 'Name: Max | Age: 40')
})
