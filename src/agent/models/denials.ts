// Whether a sentence denies something: by far the commonest way in which two sentences of the same words say the opposite of each other.
import { type Language, languageOf } from '../../answering/terms.ts'

const words: Record<Language, string> = {
  eng: String.raw`not|no|never|none|nobody|nothing|nowhere|nor|neither|cannot|without|\p{L}+n['’]t`,
  deu: String.raw`nicht|nichts|kein\p{L}*|nie|niemals|niemand\p{L}*|nirgends|weder|ohne`,
  fra: String.raw`ne|n['’]\p{L}+|pas|jamais|aucune?s?|rien|ni|sans`,
  spa: String.raw`no|nunca|jamás|ning[uú]n\p{L}*|nada|nadie|ni|sin`,
  ita: String.raw`non|mai|nessun\p{L}*|niente|nulla|né|senza`,
  nld: 'niet|niets|geen|nooit|niemand|noch|zonder',
  por: 'não|nunca|jamais|nenhum|nenhuma|nada|ninguém|nem|sem',
  rus: 'не|нет|ни|никогда|никто|ничего|нельзя|без',
  ara: 'لا|لم|لن|ليس|ليست|بدون',
  hin: 'न|नहीं|मत|बिना',
}
const denying = Object.fromEntries(
  Object.entries(words).map(([language, any]) => [
    language,
    new RegExp(String.raw`(?<![\p{L}\p{M}])(?:${any})(?![\p{L}\p{M}])`, 'iu'),
  ]),
) as Record<Language, RegExp>
/** Scripts that write no blanks between words. */
const UNSPACED = /[不没沒無无未]|ない|ません|ไม่/u

export function denies(sentence: string): boolean {
  const text = sentence.normalize('NFC')
  return UNSPACED.test(text) || denying[languageOf(text)].test(text)
}
