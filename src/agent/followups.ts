// A question that leans on the one before it ("and in 2019?") finds nothing by itself. Told by its words, it is searched for together
// with the question it leans on; a question that stands alone is left alone, so that no old subject colours a new answer.
import { stopwordsOf, terms } from '../answering/terms.ts'

/** Longest question with a pronoun, and longest without a verb of its own, that are taken to lean on an earlier one, in words. */
const WORDS_MAX = 8
const FRAGMENT_WORDS_MAX = 4
/** Furthest an earlier question is looked for, in questions. */
const BACK_MAX = 5
/** Most of earlier questions that goes before a question, in characters: their end, which lies nearest. */
const CONTEXT_CHARS_MAX = 2000

const OPENS = /^(?:and|but|or|so|then|also|what about|how about|und|aber|oder|et|mais|ou|y|pero|o)\b/iu
const POINTS = /\b(?:it|its|they|them|their|he|she|his|her|him|that|this|those|these|there)\b/iu
const BEGINS_A_PART =
  /^(?:in|on|at|of|for|from|to|by|with|without|since|until|before|after|during|under|over|near|im|am|en|dans|pour)\b/iu
const BARE =
  /^(?:why|how|when|where|who|what|which|warum|wann|wo|wer|was|pourquoi|quand|comment)(?: (?:many|much|long|far|often|exactly|not|so|then|else))?\W*$/iu

function leans(question: string): boolean {
  const text = question.trim()
  const words = text.split(/\s+/).length
  if (OPENS.test(text) || (POINTS.test(text) && words <= WORDS_MAX)) return true
  if (BEGINS_A_PART.test(text) && words <= FRAGMENT_WORDS_MAX) return true
  // "Why?", "How many?", "2019?": nothing in it names a subject.
  return BARE.test(text) || terms(text, stopwordsOf(text)).every(term => /^\d/.test(term))
}

/** The question with what it leans on before it; `earlier` are the questions of the conversation, oldest first. */
export function inContext(question: string, earlier: string[]): string {
  if (!leans(question)) return question
  const back = earlier.slice(-BACK_MAX)
  const from = Math.max(
    0,
    back.findLastIndex(one => !leans(one)),
  )
  return `${endOf(back.slice(from).join(' '), CONTEXT_CHARS_MAX)} ${question}`.trimStart()
}

/** The last characters of a text, at most `charsMax`; never half of one. */
export function endOf(text: string, charsMax: number): string {
  return text.slice(-charsMax).replace(/^[\uDC00-\uDFFF]/, '')
}
