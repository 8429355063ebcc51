import t from 'tap'
import { decode } from '../../src/rag/extract/encoding.ts'
import { read, refused } from './made.ts'

const french = 'Le garçon a mangé une crêpe à l’école ; déjà vu, naïve. Où êtes-vous allés cet été ?'
const japanese = 'すべての人間は、生れながらにして自由であり、かつ、尊厳と権利とについて平等である。'

/** Encodes by looking each character up in what the decoder makes of every one- and two-byte sequence. */
function encode(text: string, label: string): Buffer {
  const decoder = new TextDecoder(label)
  const bytesOf = new Map<string, number[]>()
  for (let a = 0; a < 256; a++) {
    for (let b = 0; b < 256; b++) {
      const pair = decoder.decode(Uint8Array.of(a, b))
      if ([...pair].length === 1 && pair !== '\ufffd' && !bytesOf.has(pair)) bytesOf.set(pair, [a, b])
    }
    const single = decoder.decode(Uint8Array.of(a))
    if (single !== '\ufffd') bytesOf.set(single, [a])
  }
  return Buffer.from([...text].flatMap(character => bytesOf.get(character) ?? []))
}

t.test('marks are believed, then strict UTF-8, with full confidence', async t => {
  const utf16 = Buffer.from(`\ufeff${japanese}`, 'utf16le')
  t.match(decode(utf16), { text: japanese, encoding: { name: 'utf-16le', confidence: 1 }, bytes_skipped: 0 })
  t.match(decode(Buffer.from(utf16).swap16()), { text: japanese, encoding: { name: 'utf-16be', confidence: 1 } })
  t.match(decode(Buffer.from(`\ufeff${french}`)), { text: french, encoding: { name: 'utf-8', confidence: 1 } })
  t.match(decode(Buffer.from(japanese)), { text: japanese, encoding: { name: 'utf-8', confidence: 1 } })
})

t.test('other encodings are guessed, and the guess says how sure it is', async t => {
  for (const [label, text] of [
    ['windows-1252', french],
    ['shift_jis', japanese],
    ['euc-jp', japanese],
    ['windows-1251', 'Всеобщая декларация прав человека. Все люди рождаются свободными и равными.'],
    ['koi8-r', 'Всеобщая декларация прав человека. Все люди рождаются свободными и равными.'],
    ['gbk', '人人生而自由,在尊严和权利上一律平等。他们赋有理性和良心。'],
  ] as const) {
    const { encoding, ...decoded } = decode(encode(text, label))
    t.same(decoded, { text, bytes_skipped: 0 }, label)
    t.ok(encoding.confidence > 0 && encoding.confidence <= 1)
  }
  t.match(decode(Buffer.from(french, 'utf16le')), { text: french, encoding: { name: 'utf-16le', confidence: 0.8 } })
})

t.test('a few Japanese words are not taken for signs and controls of a Western encoding', async t => {
  const text = '名前,年齢,住所\n佐藤太郎,30,東京\n'
  t.match(decode(encode(text, 'shift_jis')), { text, encoding: { name: 'shift_jis' } })
})

t.test('a page that declares its encoding is believed when its bytes agree', async t => {
  const page = '<meta charset="windows-1250"><p>Všichni lidé se rodí svobodní.</p>'
  const { text, coverage } = await read('a.html', encode(page, 'windows-1250'))
  t.equal(text, 'Všichni lidé se rodí svobodní.')
  t.same(coverage.encoding, { name: 'windows-1250', confidence: 1 })
})

t.test('bytes that mean nothing are left out and counted, never replaced', async t => {
  const cut = Buffer.from(`${japanese}${japanese}`).subarray(0, -1)
  const { text, encoding, bytes_skipped } = decode(cut)
  t.equal(text, `${japanese}${japanese}`.slice(0, -1))
  t.equal(encoding.name, 'utf-8')
  t.ok(bytes_skipped > 0)
  const { coverage } = await read('a.txt', cut)
  t.ok(coverage.bytes_skipped > 0)
})

t.test('a stray zero byte does not make a text a program', async t => {
  t.equal((await read('a.txt', 'before\0after')).text, 'beforeafter')
})

t.test('bytes of no encoding are not text', async t => {
  t.equal(
    (await refused(read('a.txt', Buffer.from(Array.from({ length: 512 }, (_, index) => index % 256))))).code,
    'unsupported_type',
  )
})
