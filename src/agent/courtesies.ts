// Small talk, told apart from questions without guessing: a message made of nothing but courtesies asks for nothing a document could hold.
// A closed list in a few languages; one other word, and it is a question.

const COURTESIES = new Set(
  `hi hello hey hallo hola bonjour ciao salut servus moin namaste good morning afternoon evening night day guten tag morgen abend buenos dias
  buenas tardes noches bonsoir thanks thank thx danke merci gracias grazie obrigado please bitte bye goodbye tschüss adios adiós cheers welcome
  how are you is it going doing do today there everyone all again and very much so many a nice great cool ok okay fine well yes no sure sorry my
  friend what's up whats`.split(/\s+/),
)
/** Words by themselves too thin to be a greeting: at least one other must stand beside them. */
const THIN = new Set(
  'how are you is it going doing do today there everyone all again and very much so many a day night well my no yes'.split(' '),
)
const WORDS_MAX = 12

export function isSmallTalk(message: string): boolean {
  const words =
    message
      .toLowerCase()
      .normalize('NFC')
      .match(/[\p{L}\p{M}\p{N}'’]+/gu) ?? []
  const known = words.map(word => word.replace('’', "'"))
  return known.length <= WORDS_MAX && known.every(word => COURTESIES.has(word)) && known.some(word => !THIN.has(word))
}
