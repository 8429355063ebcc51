// The words of a text that carry its meaning, in a form two texts can be compared by: folded, stemmed where the letters are Latin, without
// the words every text of the language has; scripts without blanks give pairs of characters.
import { stemmer } from 'stemmer'
import { ara, deu, eng, fra, hin, ita, nld, por, rus, spa } from 'stopword'

const word = /[\p{L}\p{N}][\p{L}\p{M}\p{N}]*(?:[.,](?=\d)\d+|['’]\p{L}+)*/gu
const plainWord = /^[A-Za-z0-9]+$/
/** Scripts written without blanks between words. */
const unspaced =
  /[\p{Script=Han}\p{Script=Hiragana}\p{Script=Katakana}\p{Script=Thai}\p{Script=Lao}\p{Script=Khmer}\p{Script=Myanmar}]/u
const lists = { eng, deu, fra, spa, ita, nld, por, rus, ara, hin }
/** Whose stop words are known here (ISO 639-3). */
export type Language = keyof typeof lists
/** English first: it wins a tie. */
const languages = Object.entries(lists).map(([name, list]) => ({ name: name as Language, stopwords: new Set(list.map(fold)) }))

/** The language whose stop words most of the words of `text` are. */
export const languageOf = (text: string): Language => closest(text).name

/** The stop words of that language. One list, never all: German "war" is no stop word in English. */
export const stopwordsOf = (text: string): Set<string> => closest(text).stopwords

function closest(text: string) {
  const found = (text.match(word) ?? []).map(match => read(match).folded)
  const hits = languages.map(({ stopwords }) => found.filter(entry => stopwords.has(entry)).length)
  return languages[hits.indexOf(Math.max(...hits))] as (typeof languages)[number]
}

/** The terms of `text` in order, repetitions kept. The same text and stop words always give the same terms. */
export function terms(text: string, stopwords: Set<string>): string[] {
  const found: string[] = []
  for (const match of text.match(word) ?? []) {
    const { folded, its } = read(match)
    if (!stopwords.has(folded)) found.push(...its)
  }
  return found
}

/** A word as it stands in a list of stop words (a run of a script without blanks stands in none), and its terms. */
interface Word {
  folded: string
  its: string[]
}

/** Words remembered: most of a text are the same few thousand, and to find a stem takes longer than all else. */
const WORDS_MAX = 20_000
/** A longer piece of a string keeps the whole of it in memory. */
const WORD_LENGTH_MAX = 12
const words = new Map<string, Word>()

function read(match: string): Word {
  const known = words.get(match)
  if (known) return known
  const folded = fold(match)
  const isRun = !plainWord.test(folded) && unspaced.test(folded)
  const found = isRun ? { folded: '', its: pairs(folded) } : { folded, its: [/^[a-z]+$/.test(folded) ? stemmer(folded) : folded] }
  if (words.size >= WORDS_MAX) words.clear()
  if (match.length <= WORD_LENGTH_MAX) words.set(match, found)
  return found
}

/** Compatibility forms, case, accents of Latin letters, the English genitive and commas in numbers make no difference. */
function fold(text: string): string {
  // Most words of most texts; nothing but their case can make a difference.
  if (plainWord.test(text)) return text.toLowerCase()
  const plain = text
    .normalize('NFKC')
    .toLowerCase()
    .replace(/['’]s$/, '')
    .replace(/(?<=\d),(?=\d)/g, '')
  return plain
    .normalize('NFD')
    .replace(/(?<=[a-z])\p{Mn}+/gu, '')
    .normalize('NFC')
}

function pairs(run: string): string[] {
  const characters = [...run]
  return characters.length < 2 ? characters : characters.slice(1).map((character, index) => `${characters[index]}${character}`)
}
