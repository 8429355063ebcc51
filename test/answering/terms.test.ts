import t from 'tap'
import { stopwordsOf, terms } from '../../src/answering/terms.ts'

const english = stopwordsOf('What is the name of the company?')

t.test('words meet in one form: case, accents, genitive, stem, compatibility forms', async t => {
  t.same(
    terms("The company's founders FOUNDED Cafés ﬁnely, 4,200", english),
    terms('company founder founding cafe finely 4200', english),
  )
})

t.test('stop words are those of the language of the text, and of no other', async t => {
  t.same(terms('What is the war of the roses?', english), ['war', 'rose'])
  t.same(terms('Wann war der Krieg der Rosen?', stopwordsOf('Wann war der Krieg der Rosen?')).includes('war'), false)
})

t.test('scripts without blanks give pairs of characters, marks stay on their letters', async t => {
  t.same(terms('公司成立', english), ['公司', '司成', '成立'])
  t.same(terms('हिन्दी', english), ['हिन्दी'])
  t.same(terms('', english), [])
})
