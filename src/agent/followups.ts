// A question that leans on the one before it ("and in 2019?") finds nothing by itself. Told by its words, it is searched for together
// with the question it leans on; a question that stands alone is left alone, so that no old subject colours a new answer.

/** Longest question with a pronoun that is taken to lean on an earlier one, in words. */
const WORDS_MAX = 8
/** Furthest an earlier question is looked for, in questions. */
const BACK_MAX = 5

const OPENS = /^(?:and|but|or|so|then|also|what about|how about|und|aber|oder|et|mais|ou|y|pero|o)\b/iu
const POINTS = /\b(?:it|its|they|them|their|he|she|his|her|him|that|this|those|these|there)\b/iu

function leans(question: string): boolean {
  return OPENS.test(question.trim()) || (POINTS.test(question) && question.trim().split(/\s+/).length <= WORDS_MAX)
}

/** The question with what it leans on before it; `earlier` are the questions of the conversation, oldest first. */
export function inContext(question: string, earlier: string[]): string {
  if (!leans(question)) return question
  const back = earlier.slice(-BACK_MAX)
  const from = Math.max(
    0,
    back.findLastIndex(one => !leans(one)),
  )
  return [...back.slice(from), question].join(' ')
}
