// The built-in answerer: of the passages that were found it picks the sentences that answer the question, word for word. It needs no
// model, makes nothing up, and gives the same sentences for the same question and passages; when nothing supports an answer it says so.
import { sentences } from './sentences.ts'
import { stopwordsOf, terms } from './terms.ts'
import { offersWanted } from './wanted.ts'

/** `content` is the canonical text from byte `start_byte` on; `score` is the search's, 0 to 1. */
export type Evidence = { content: string; start_byte: number; score: number }

/** `passage` is an index into the passages given; `text` is exactly the bytes `start_byte` to `end_byte` (exclusive) of the canonical text. */
export type Picked = { passage: number; start_byte: number; end_byte: number; text: string }

export type AnswerOptions = { scoreMin: number; sentencesMax?: number }

type Candidate = Picked & { terms: Set<string>; spokenOf: Set<string>; isLabel: boolean; score: number }

/** What is said when nothing supports an answer. */
export const NOTHING_FOUND = 'Nothing in your documents answers this.'

const SENTENCES_MAX = 3
/**
 * What speaks for a sentence and how much, found by trying on XQuAD-en (1,190 questions, five passages each): 0.91 of the answers hold the
 * right one, 0.93 begin in the right paragraph. Pairs of words and the words around a sentence were tried too and added nothing.
 */
const WEIGHT = { words: 1, wanted: 0.3, passage: 0.6 } as const
/** A passage that has less than this share of the question's words supports nothing, unless its meaning alone scored high. */
const SUPPORT_MIN = 0.2
const MEANING_SCORE_MIN = 0.55
/** Another sentence is added when it scores at least this share of the best. */
const NEAR_BEST = 0.7

/**
 * Picks up to `sentencesMax` (3) sentences, best first. `grounded` is false, and nothing is picked, when no passage reaches `scoreMin` or
 * none of those that do shares words or meaning with the question.
 */
export function answer(
  question: string,
  passages: Evidence[],
  options: AnswerOptions,
): { grounded: boolean; sentences: Picked[] } {
  const stopwords = stopwordsOf(question)
  const asked = terms(question, stopwords)
  const offers = offersWanted(question)
  const cuts = passages.map((passage, index) => cut(passage, index, stopwords))
  const weight = weights(asked, cuts.flat())
  const whole = [...weight.values()].reduce((sum, tells) => sum + tells, 0)
  const scoreBest = Math.max(...passages.map(({ score }) => score))
  const candidates = passages.flatMap(({ score }, index) => {
    const found = cuts[index] ?? []
    const around = new Set(found.flatMap(candidate => [...candidate.terms]))
    const shared = asked.filter(term => around.has(term)).length / Math.max(1, asked.length)
    if (score < options.scoreMin || (shared < SUPPORT_MIN && score < MEANING_SCORE_MIN)) return []
    for (const candidate of found) {
      candidate.score =
        WEIGHT.words * share(weight, whole, candidate) +
        WEIGHT.wanted * Number(offers?.(candidate.text) ?? 0) +
        WEIGHT.passage * (score / scoreBest)
    }
    return found.filter(candidate => !candidate.isLabel)
  })
  candidates.sort((a, b) => b.score - a.score || a.passage - b.passage || a.start_byte - b.start_byte)
  const picked = pick(candidates, options.sentencesMax ?? SENTENCES_MAX)
  return { grounded: picked.length > 0, sentences: picked }
}

/** The sentences of a passage with their places in the canonical text. */
function cut({ content, start_byte: from }: Evidence, passage: number, stopwords: Set<string>): Candidate[] {
  const found: Candidate[] = []
  let byte = from
  for (const { start, end } of sentences(content)) {
    const whole = content.slice(start, end)
    const text = whole.trim()
    const start_byte = byte + Buffer.byteLength(whole.slice(0, whole.length - whole.trimStart().length))
    byte += Buffer.byteLength(whole)
    if (!/[\p{L}\p{N}]/u.test(text)) continue
    const end_byte = start_byte + Buffer.byteLength(text)
    found.push({
      ...{ passage, start_byte, end_byte, text, score: 0 },
      terms: new Set(terms(text, stopwords)),
      spokenOf: (pronoun.test(text) && found.at(-1)?.terms) || new Set(),
      isLabel: isLabel(text, content.slice(end, end + 2), whole),
    })
  }
  return found
}

/** A sentence that begins so goes on about what the one before it named. */
const pronoun = /^(?:it|he|she|they|this|these|its|his|her|their|both|there|er|sie|es|il|elle|ils|elles)\b/i

/** A short line with an empty line after it that ends in no stop and tells nothing is a heading. */
function isLabel(text: string, after: string, whole: string): boolean {
  const isAlone = whole.endsWith('\n') && after.startsWith('\n')
  return isAlone && text.length <= LABEL_LENGTH_MAX && !/[.!?…。！？।:;؟]["'”’»)]*$/u.test(text) && !/[|:]\s/.test(text)
}

const LABEL_LENGTH_MAX = 120

/** How much each term of the question tells: the fewer sentences have it the more. */
function weights(asked: string[], candidates: Candidate[]): Map<string, number> {
  const having = new Map(asked.map(term => [term, 0]))
  for (const { terms: found } of candidates)
    for (const term of found) if (having.has(term)) having.set(term, (having.get(term) ?? 0) + 1)
  return new Map([...having].map(([term, count]) => [term, Math.log(1 + candidates.length / (count + 0.5))]))
}

/** The share of the question's weight that a sentence has, 0 to 1; what it only speaks of counts half. */
function share(weight: Map<string, number>, whole: number, { terms: found, spokenOf }: Candidate): number {
  let covered = 0
  for (const term of found) covered += weight.get(term) ?? 0
  for (const term of spokenOf) if (!found.has(term)) covered += (weight.get(term) ?? 0) / 2
  return whole && covered / whole
}

/** The best, and those near it; a sentence that two overlapping passages hold is taken once. */
function pick(candidates: Candidate[], most: number): Picked[] {
  const picked: Picked[] = []
  for (const { passage, start_byte, end_byte, text, score } of candidates) {
    if (picked.length === most || score < (candidates[0]?.score ?? 0) * NEAR_BEST) break
    if (!picked.some(other => other.text === text)) picked.push({ passage, start_byte, end_byte, text })
  }
  return picked
}
