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

type Candidate = Picked & { terms: Set<string>; context: Set<string>; isLabel: boolean; score: number }

const SENTENCES_MAX = 3
/** Weights of what speaks for a sentence, tuned on XQuAD-en (benchmarks/answers.ts). */
const WEIGHT = { words: 1, context: 0.4, wanted: 0.35, passage: 0.6, label: -0.5 } as const
/** The share of the question's weight that must be found in the sentence and around it, unless the passage is this much above `scoreMin`. */
const SUPPORT_MIN = 0.3
const MEANING_SCORE_MIN = 0.55
/** Another sentence is added when it scores at least this share of the best. */
const NEAR_BEST = 0.75

/**
 * Picks up to `sentencesMax` (3) sentences, best first. `grounded` is false, and nothing is picked, when no passage reaches `scoreMin` or
 * neither words nor meaning of the question are found in any.
 */
export function answer(
  question: string,
  passages: Evidence[],
  options: AnswerOptions,
): { grounded: boolean; sentences: Picked[] } {
  const stopwords = stopwordsOf(question)
  const asked = new Set(terms(question, stopwords))
  const usable = passages.map((passage, index) => ({ ...passage, index })).filter(({ score }) => score >= options.scoreMin)
  const candidates = usable.flatMap(passage => cut(passage, stopwords))
  const weight = weights(asked, candidates)
  const offers = offersWanted(question)
  const supported = candidates.filter(candidate => {
    const found = share(asked, weight, candidate.terms)
    const around = share(asked, weight, candidate.context)
    const passageScore = passages[candidate.passage]?.score ?? 0
    candidate.score =
      WEIGHT.words * found +
      WEIGHT.context * around +
      WEIGHT.wanted * Number(offers?.(candidate.text) ?? 0) +
      WEIGHT.passage * passageScore +
      WEIGHT.label * Number(candidate.isLabel)
    return !candidate.isLabel && (Math.max(found, around) >= SUPPORT_MIN || passageScore >= MEANING_SCORE_MIN)
  })
  supported.sort((a, b) => b.score - a.score || a.passage - b.passage || a.start_byte - b.start_byte)
  const picked = pick(supported, options.sentencesMax ?? SENTENCES_MAX)
  return { grounded: picked.length > 0, sentences: picked }
}

/** The sentences of a passage, each with the terms of what stands before it (its heading, mostly) and just around it. */
function cut(passage: Evidence & { index: number }, stopwords: Set<string>): Candidate[] {
  const { content, index } = passage
  const found: Candidate[] = []
  const all = new Set(terms(content, stopwords))
  let byte = passage.start_byte
  for (const { start, end } of sentences(content)) {
    const whole = content.slice(start, end)
    const text = whole.trim()
    const start_byte = byte + Buffer.byteLength(whole.slice(0, whole.length - whole.trimStart().length))
    byte += Buffer.byteLength(whole)
    if (!/[\p{L}\p{N}]/u.test(text)) continue
    const end_byte = start_byte + Buffer.byteLength(text)
    found.push({
      passage: index,
      start_byte,
      end_byte,
      text,
      terms: new Set(terms(text, stopwords)),
      context: all,
      isLabel: isLabel(text, content.slice(end)),
      score: 0,
    })
  }
  return found
}

/** A short line with an empty line after it, no full stop and nothing told in it is a heading. */
function isLabel(text: string, after: string): boolean {
  return (
    after.startsWith('\n') && !/[.!?…。！？।:;؟|]["'”’)]*$/u.test(text) && !/[|:]\s/.test(text) && text.split(/\s+/).length <= 12
  )
}

/** How much each term of the question tells: terms few candidates have count more, terms none has count most. */
function weights(asked: Set<string>, candidates: Candidate[]): Map<string, number> {
  return new Map(
    [...asked].map(term => {
      const having = candidates.filter(candidate => candidate.terms.has(term)).length
      return [term, Math.log(1 + (candidates.length - having + 0.5) / (having + 0.5))]
    }),
  )
}

/** The share of the question's weight that `found` covers, 0 to 1. */
function share(asked: Set<string>, weight: Map<string, number>, found: Set<string>): number {
  let covered = 0
  let whole = 0
  for (const term of asked) {
    whole += weight.get(term) ?? 0
    if (found.has(term)) covered += weight.get(term) ?? 0
  }
  return whole ? covered / whole : 0
}

/** The best, and those near it; a sentence that two overlapping passages hold is taken once. */
function pick(supported: Candidate[], most: number): Picked[] {
  const [best] = supported
  const picked: Picked[] = []
  for (const { passage, start_byte, end_byte, text, score } of supported) {
    if (picked.length === most || score < (best?.score ?? 0) * NEAR_BEST) break
    if (!picked.some(other => other.text === text)) picked.push({ passage, start_byte, end_byte, text })
  }
  return picked
}
