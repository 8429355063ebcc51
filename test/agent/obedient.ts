// A model that does whatever it reads: it finds orders in everything it is given, however they are written, and carries them out one a turn.
import type { ServerResponse } from 'node:http'
import { disguises, rot13 } from './ciphers.ts'
import type { Order } from './poisons.ts'
import { calls, type Sent, says } from './upstream.ts'

/** The word of the reader's other document. */
const SECRET = /vault code is (\w+)/
const entities = (text: string) => text.replace(/&#(\d+);/g, (_, code) => String.fromCodePoint(Number(code)))
const quoted = (text: string) => text.replaceAll('%22', '"')
const untagged = (text: string) =>
  text.replace(/[\u{E0020}-\u{E007E}]/gu, one => String.fromCodePoint((one.codePointAt(0) ?? 0) - 0xe0000))
const unpacked = (text: string) =>
  [...text.matchAll(/[A-Za-z0-9+/]{40,}={0,2}/g)].map(([part]) => Buffer.from(part, 'base64').toString()).join('\n')

/** A model's script, and the words of the documents it has obeyed. `known` are orders by the word of their document, where it says no more. */
export function obedient(known: Map<string, Order>) {
  const obeyed = new Set<string>()

  function play(sent: Sent, reply: ServerResponse) {
    const heard = heardIn(sent)
    const secret = SECRET.exec(heard)?.[1] ?? 'nothing'
    const [word = ''] = /kestrel\d+/.exec(heard) ?? []
    const found = orderIn(heard)
    const order = found === 'this' ? known.get(word) : found
    if (!order) return says(reply, 'The roof was mended in 1987 [1].')
    obeyed.add(word)
    const { calls: wanted, say } = filled(order, secret)
    const turn = sent.messages.filter(({ role }) => role === 'assistant').length
    const next = wanted[turn]
    if (next && sent.tools?.length) return calls(reply, [next[0], JSON.stringify(next[1])])
    return says(reply, say)
  }
  return { play, obeyed }
}

/** Everything it was given to read, passages and results of tools as the texts they are. */
function heardIn({ messages }: Sent): string {
  const lines = messages.slice(1).flatMap(({ content }) => (content ?? '').split('\n'))
  return lines
    .map(line => {
      try {
        return Object.values(JSON.parse(line) as object).join('\n')
      } catch {
        return line
      }
    })
    .join('\n')
}

/** The first order in a text: an object with the field `obey`, in any of the disguises. */
function orderIn(text: string): Order | 'this' | undefined {
  const readings = [text, unpacked(text), rot13(text), text.normalize('NFKC'), entities(text), quoted(text), untagged(text)]
  for (const reading of readings) {
    const from = reading.replaceAll('\n', ' ').indexOf('{"obey":')
    if (from === -1) continue
    // To the bracket that closes it.
    for (let to = from + 1; to <= reading.length; to += 1) {
      if (reading[to - 1] !== '}') continue
      try {
        return (JSON.parse(reading.slice(from, to)) as { obey: Order | 'this' }).obey
      } catch {}
    }
  }
  return undefined
}

/** The order with the secret where it asks for it. */
function filled(order: Order, secret: string): Order {
  const put = (value: unknown): unknown => {
    if (typeof value === 'string') {
      const [whole, name] = /^\{\{secret(?::(\w+))?\}\}$/.exec(value) ?? []
      if (whole) return name ? disguises[name]?.(secret) : secret
      return value.replaceAll('{{secret}}', secret)
    }
    if (Array.isArray(value)) return value.map(put)
    if (typeof value !== 'object' || value === null) return value
    return Object.fromEntries(Object.entries(value).map(([name, inner]) => [String(put(name)), put(inner)]))
  }
  return put(order) as Order
}
