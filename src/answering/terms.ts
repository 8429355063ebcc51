// The words of a text that carry its meaning, in a form two texts can be compared by: folded, stemmed where the letters are Latin, without
// the words every text of the language has; scripts without blanks give pairs of characters.
import { stemmer } from 'stemmer'
import { ara, deu, eng, fra, hin, ita, nld, por, rus, spa } from 'stopword'

const word = /[\p{L}\p{N}][\p{L}\p{M}\p{N}]*(?:[.,](?=\d)\d+|['’]\p{L}+)*/gu
const plainWord = /^[A-Za-z0-9]+$/
/** Scripts written without blanks between words. */
const unspaced =
  /[\p{Script=Han}\p{Script=Hiragana}\p{Script=Katakana}\p{Script=Thai}\p{Script=Lao}\p{Script=Khmer}\p{Script=Myanmar}]/u
/** English first: it wins a tie. */
const languages = [eng, deu, fra, spa, ita, nld, por, rus, ara, hin].map(list => new Set(list.map(fold)))

/** The stop words of the language that most of the words of `text` belong to. One list, never all: German "war" is no stop word in English. */
export function stopwordsOf(text: string): Set<string> {
  const found = [...text.matchAll(word)].map(([match]) => fold(match))
  const hits = languages.map(list => found.filter(entry => list.has(entry)).length)
  return languages[hits.indexOf(Math.max(...hits))] ?? new Set()
}

/** The terms of `text` in order, repetitions kept. The same text and stop words always give the same terms. */
export function terms(text: string, stopwords: Set<string>): string[] {
  return [...text.matchAll(word)].flatMap(([match]) => {
    const folded = fold(match)
    if (!plainWord.test(folded) && unspaced.test(folded)) return pairs(folded)
    if (stopwords.has(folded)) return []
    return [/^[a-z]+$/.test(folded) ? stemmer(folded) : folded]
  })
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
