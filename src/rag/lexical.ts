// The full-text leg: which terms a passage is indexed under, and what a question asks the index for. Query syntax never reaches the
// engine: a question is terms, each quoted. Term statistics are those of the one collection that is asked.
import { stopwordsOf, terms } from '../answering/terms.ts'
import type { Scored } from './rows.ts'
import type { Passages } from './store/passages.ts'

/** Terms of a question that are looked for; a longer question is cut. */
const TERMS_MAX = 64
/** Passages the terms of one question may be looked up in, all terms together: each takes about a microsecond, and others wait meanwhile. */
const POSTINGS_MAX = 50_000
/** FTS5's BM25: k1 = 1.2, b = 0.75, and no inverse document frequency below this. */
const K1 = 1.2
const IDF_MIN = 1e-6

const none = new Set<string>()

/** A passage's terms, its heading's among them, in the form they are indexed in. Stop words stay: a question leaves them out. */
export function indexTerms(content: string, heading: string | null): string {
  return terms(heading ? `${heading}\n${content}` : content, none).join(' ')
}

/** Terms of a question, each once. A question of stop words alone keeps them. */
function questionTerms(question: string): string[] {
  const wanted = terms(question, stopwordsOf(question))
  return [...new Set(wanted.length > 0 ? wanted : terms(question, none))].slice(0, TERMS_MAX)
}

/** Passages holding a term of the question, best first. `score` is the share of the most BM25 could give these terms: 0 to 1. */
export function lexicalLeg(file: Passages, question: string, limit: number, documents?: string): Scored[] {
  const wanted = questionTerms(question)
  if (wanted.length === 0) return []
  const { published } = file.state()
  const frequency = file.frequencies(wanted)
  const known = wanted.filter(term => frequency.has(term))
  if (known.length === 0) return []
  // A term no passage has weighs as much as the others do on average, so that a passage that lacks it can't score as if it answered all.
  const ofKnown = known.map(term => idf(published, frequency.get(term) ?? 0)).reduce((sum, one) => sum + one, 0)
  const most = ((K1 + 1) * ofKnown * wanted.length) / known.length
  const match = affordable(frequency)
    .map(term => `"${term.replaceAll('"', '""')}"`)
    .join(' OR ')
  return file.match(match, limit, documents).map(({ id, score }) => ({ id, score: Math.min(1, score / most) }))
}

/** The rarest terms, as long as few enough passages hold them; the very rarest in any case. */
function affordable(frequency: Map<string, number>): string[] {
  let passages = 0
  const rarestFirst = [...frequency].toSorted(([, a], [, b]) => a - b)
  const sought = rarestFirst.filter(([, count], i) => {
    passages += count
    return i === 0 || passages <= POSTINGS_MAX
  })
  return sought.map(([term]) => term)
}

/** As FTS5 counts it. In a collection of a few passages every term is at the floor, and a score is the share of terms that were found. */
function idf(passages: number, frequency: number): number {
  return Math.max(IDF_MIN, Math.log((passages - frequency + 0.5) / (frequency + 0.5)))
}
