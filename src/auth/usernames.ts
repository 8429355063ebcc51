// What may be a name, and when two names are the same one.
import { failure } from '../platform/errors.ts'

/** Letters, marks, digits and a few signs; begins with a letter or digit. No spaces or controls. */
const SHAPE = /^[\p{L}\p{N}][\p{L}\p{M}\p{N}._@+-]*$/u
/** Letters and marks that show nothing: fillers, joiners, variation selectors. */
const UNSEEN = /\p{Default_Ignorable_Code_Point}/u

/** Scripts that are written together (Unicode TS 39, "highly restrictive"); every other name keeps to one script. */
const TOGETHER = [
  ['Latin', 'Han', 'Hiragana', 'Katakana'],
  ['Latin', 'Han', 'Bopomofo'],
  ['Latin', 'Han', 'Hangul'],
]
/** Scripts in which a look-alike of a Latin, Greek or Cyrillic letter can be written. */
const SCRIPTS = [
  'Latin Greek Cyrillic Armenian Hebrew Arabic Devanagari Bengali Gurmukhi Gujarati Tamil Telugu Kannada Malayalam Sinhala Thai Lao',
  'Tibetan Myanmar Georgian Hangul Ethiopic Cherokee Khmer Mongolian Hiragana Katakana Bopomofo Han Coptic Lisu Deseret Gothic',
]
  .join(' ')
  .split(' ')
  .map(name => ({ name, pattern: new RegExp(`\\p{Script=${name}}`, 'u') }))

/** The one form that must be unique: compatibility-composed and case-folded, so that no spelling of it is a second account. */
export function canonicalName(username: string): string {
  return username.normalize('NFKC').toLowerCase().toUpperCase().toLowerCase().normalize('NFKC')
}

/** Refuses a name that could be taken for another one. */
export function checkName(username: string) {
  const plain = username.normalize('NFKC')
  if (!SHAPE.test(plain) || UNSEEN.test(username))
    throw failure('invalid_request', 'A username holds letters, digits and . _ @ + - and begins with a letter or digit')
  const used = SCRIPTS.filter(({ pattern }) => pattern.test(plain)).map(({ name }) => name)
  const fine = used.length <= 1 || TOGETHER.some(set => used.every(name => set.includes(name)))
  if (!fine) throw failure('invalid_request', `A username keeps to one script; this one mixes ${used.join(' and ')}`)
}
