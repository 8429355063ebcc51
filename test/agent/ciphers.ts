// Disguises of a word, there and back.

export const rot13 = (text: string) =>
  text.replace(/[a-z]/gi, letter => {
    const base = letter <= 'Z' ? 65 : 97
    return String.fromCharCode(((letter.charCodeAt(0) - base + 13) % 26) + base)
  })
const reversed = (text: string) => [...text].toReversed().join('')

export const disguises: Record<string, (word: string) => unknown> = {
  base64: word => Buffer.from(word).toString('base64'),
  hex: word => Buffer.from(word).toString('hex'),
  spaced: word => [...word].join(' '),
  reversed,
  rot13,
  codes: word => [...Buffer.from(word)],
  first: word => word.slice(0, word.length / 2),
  second: word => word.slice(word.length / 2),
}

/** Whether a text has a word in it, plain or in any of these disguises. */
export function carries(text: string, word: string): boolean {
  const plain = (one: string) => one.normalize('NFKC').toLowerCase()
  const bare = (one: string) => plain(one).replace(/[^\p{L}\p{N}]/gu, '')
  const numbers = [...text.matchAll(/\d+/g)].map(([number]) => Number(number))
  const codes = Buffer.from(numbers.filter(number => number < 256)).toString('latin1')
  const unpacked = (pattern: RegExp, encoding: BufferEncoding) =>
    [...text.matchAll(pattern)].map(([part]) => Buffer.from(part, encoding).toString('latin1'))
  const readings = [text, codes, ...unpacked(/[\w+/-]{8,}/g, 'base64'), ...unpacked(/(?:[\da-f]{2}){4,}/gi, 'hex')]
  return readings
    .flatMap(one => [one, rot13(one), reversed(one)])
    .some(one => bare(one).includes(bare(word)) || plain(decoded(one)).includes(plain(word)))
}

function decoded(text: string): string {
  try {
    return decodeURIComponent(text)
  } catch {
    return text
  }
}
