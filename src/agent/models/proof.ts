// Whether a passage says what a model claims it says, as far as that can be told without another model: most of the claim's words and every
// number in it stand there, and it denies if and only if the claim does. What is found is the sentence that bears it, byte for byte; a claim
// no named passage bears has no proof.
import { type Evidence, answer as extract } from '../../answering/answer.ts'
import { sentences } from '../../answering/sentences.ts'
import { stopwordsOf, terms } from '../../answering/terms.ts'
import type { Passage } from '../../contracts/search.ts'
import type { Claim } from '../citations.ts'
import { shown } from '../segments.ts'
import { denies } from './denials.ts'

/** The least share of a claim's words that the passage has. */
const WORDS_MIN = 0.5
/** Below what the search counts as meaning, so that words alone decide. */
const SCORE = 0.1

/** The claim with the bytes of the passage that bears it best; nothing when none does. `known` are numbers the person or a tool gave. */
export function proven(sentence: string, passages: Passage[], known: Set<string>): Claim | undefined {
  const stopwords = stopwordsOf(sentence)
  const claimed = [...new Set(terms(sentence, stopwords))]
  const borne = passages
    .map(passage => {
      const there = new Set(terms(passage.content, stopwords))
      const numbers = numbersOf(passage.content)
      const share = claimed.filter(term => there.has(term)).length / Math.max(1, claimed.length)
      const isBorne = share >= WORDS_MIN && [...numbersOf(sentence)].every(one => numbers.has(one) || known.has(one))
      return { passage, share: isBorne ? share : 0 }
    })
    .filter(({ share }) => share > 0)
    .toSorted((a, b) => b.share - a.share)
  for (const { passage } of borne) {
    const [best] = extract(
      sentence,
      bearing(
        passage,
        [...numbersOf(sentence)].filter(one => !known.has(one)),
      ),
      {
        scoreMin: 0,
        sentencesMax: 1,
      },
    ).sentences
    if (best && denies(best.text) === denies(sentence))
      return { text: shown(sentence), passage, start_byte: best.start_byte, end_byte: best.end_byte, quote: best.text }
  }
  return undefined
}

/** Where in a passage a claim with these numbers may rest: the sentences that have them all, or, where none does, the whole. */
function bearing({ content, start_byte: from }: Passage, numbers: string[]): Evidence[] {
  const having = [...sentences(content)].filter(({ start, end }) => {
    const there = numbersOf(content.slice(start, end))
    return numbers.length > 0 && numbers.every(one => there.has(one))
  })
  const pieces = having.length > 0 ? having : [{ start: 0, end: content.length }]
  return pieces.map(({ start, end }) => ({
    content: content.slice(start, end),
    start_byte: from + Buffer.byteLength(content.slice(0, start)),
    score: SCORE,
  }))
}

/** The numbers in a text, one spelling for each. */
export function numbersOf(text: string): Set<string> {
  const found = text.normalize('NFKC').matchAll(/\d+(?:[.,:]\d+)*/g)
  return new Set([...found].map(([number]) => number.replace(/,(?=\d{3}\b)/g, '').replace(/^0+(?=\d)/, '')))
}
