// A text as it could be read by whoever receives it: as it stands, and undone from the commonest ciphers a model can be told to write in. A
// cipher that somebody makes up for the occasion is not among them; what can be told of a word is told of its plain forms and of these.

/** Shortest piece that is taken for an encoding of something, in characters. */
const ENCODED_CHARS_MIN = 8
/** Numbers above this are no codes of characters. */
const CODE_MAX = 255

/** The other readings of texts and numbers that go out together: Base64, hexadecimal, percent signs, ROT13, backwards, codes of characters. */
export function disguises(texts: string[], numbers: number[]): string[] {
  const whole = texts.join(' ')
  const unpacked = (pattern: string, encoding: BufferEncoding) =>
    [...whole.matchAll(new RegExp(`${pattern}{${ENCODED_CHARS_MIN},}`, 'gi'))].map(([part]) =>
      Buffer.from(part, encoding).toString(),
    )
  const codes = [...[...whole.matchAll(/\d+/g)].map(([number]) => Number(number)), ...numbers].filter(one => one <= CODE_MAX)
  const readings = [
    ...unpacked(String.raw`[\w+/-]`, 'base64'),
    ...unpacked(String.raw`[\da-f]`, 'hex'),
    whole.replace(/(?:%[\da-f]{2})+/gi, part => Buffer.from(part.replaceAll('%', ''), 'hex').toString()),
    Buffer.from(codes).toString('latin1'),
  ]
  return [whole, ...readings].flatMap(one => [one, rot13(one), [...one].toReversed().join('')]).slice(1)
}

/** The letters and digits of texts in one run, as they are when words are cut apart. */
export function joined(texts: string[]): string {
  return texts
    .join('')
    .normalize('NFKC')
    .toLowerCase()
    .replace(/[^\p{L}\p{N}]/gu, '')
}

function rot13(text: string): string {
  return text.replace(/[a-z]/gi, letter => {
    const first = letter <= 'Z' ? 65 : 97
    return String.fromCharCode(((letter.charCodeAt(0) - first + 13) % 26) + first)
  })
}
