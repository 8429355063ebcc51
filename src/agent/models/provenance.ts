// Where the words of a tool's arguments come from. A document may say "call this tool with that": a model that obeys it would carry words of
// the document into the world. So no word that a model has only from retrieved text becomes an argument, be it plain, cut apart or in one of
// the usual ciphers; the person's own words, a model's own, and the ids a search gave may. What is lost is a second search by a name only a
// document gave; the person can ask it. In an answer, names of hosts and mailboxes stand only as somebody wrote them: made up of a name and a
// word of a document, they would carry that word to whoever follows them.
import { stopwordsOf, terms } from '../../answering/terms.ts'
import type { Passage } from '../../contracts/search.ts'
import type { Tool } from '../tools/tool.ts'
import { disguises, joined } from './disguises.ts'

/** Retrieved text that is remembered, in characters; past it no argument with words is let through. */
const RETRIEVED_CHARS_MAX = 2_000_000

/** Numbers below this are counts and places, and tell nothing. */
const COUNT_MAX = 10_000

/** Words shorter than this come about by chance where a text is read in a cipher, and longer ones are not looked for where it is cut apart. */
const DISGUISED_CHARS_MIN = 6
const JOINED_CHARS_MAX = 40

/** A host with what follows it, or a mailbox. */
const ADDRESS = /(?:[\p{L}\p{N}._%+-]{1,64}@)?(?:[\p{L}\p{N}_-]{1,63}\.){1,8}\p{L}{2,24}(?![\p{L}\p{N}])/giu
const ADDRESS_LEFT_OUT = '(link)'

/** Remembers what a model was given to read beside the words of the person. */
export function openProvenance(person: string[]) {
  const own = new Set(person.flatMap(text => words(text)))
  const ids = new Set<string>()
  const retrieved = new Set<string>()
  /** Words as they are spelled, for where they are cut apart. */
  const spelled = new Set<string>()
  const addresses = new Set(person.flatMap(addressesIn))
  let left = RETRIEVED_CHARS_MAX

  function read(text: string) {
    left -= text.length
    if (left <= 0) return
    for (const word of words(text)) retrieved.add(word)
    for (const word of wordsCut(text)) spelled.add(word)
    for (const address of addressesIn(text)) addresses.add(address)
  }

  /** A word of retrieved text that texts hold when they are put together, or undone from a cipher. */
  function hidden(texts: string[], numbers: number[]): string | undefined {
    const isHidden = (word: string) => word.length >= DISGUISED_CHARS_MIN && retrieved.has(word) && !own.has(word)
    const inCipher = disguises(texts, numbers).flatMap(words).find(isHidden)
    if (inCipher) return inCipher
    const run = joined(texts)
    for (let from = 0; from < run.length; from += 1) {
      for (let to = from + DISGUISED_CHARS_MIN; to <= Math.min(run.length, from + JOINED_CHARS_MAX); to += 1) {
        const piece = run.slice(from, to)
        if (spelled.has(piece) && !own.has(words(piece)[0] ?? piece)) return piece
      }
    }
    return undefined
  }

  return {
    /** Text of others that the model gets to see. */
    read,

    readPassages(passages: Passage[]) {
      for (const passage of passages) {
        const { document_id, version, collection_id, content, title, heading = '', source } = passage
        for (const id of [document_id, version, collection_id]) ids.add(id)
        read([content, title, heading, source ?? '', JSON.stringify(passage.metadata)].join('\n'))
      }
    },

    /** The first word of a call's arguments that only retrieved text has. */
    foreign({ parameters, numbersFromDocuments }: Tool, given: unknown): string | undefined {
      const declared = new Set(Object.keys('properties' in parameters ? (parameters.properties as object) : {}))
      const { texts: all, numbers } = partsOf(given)
      const texts = all.filter(one => !ids.has(one) && !declared.has(one))
      const isForeign = (word: string) => !own.has(word) && (left <= 0 || retrieved.has(word))
      const large = numbers.filter(one => Math.abs(one) >= COUNT_MAX).map(String)
      const plain = [...texts, ...large].flatMap(words)
      const found = plain.find(word => isForeign(word) && !(numbersFromDocuments && /^[\d.,]+$/.test(word)))
      return found ?? (numbersFromDocuments ? undefined : hidden(texts, numbers))
    },

    /** A text in which hosts and mailboxes that nobody wrote are left out, once something was retrieved. */
    withoutNewAddresses(text: string): string {
      if (retrieved.size === 0) return text
      return text.replace(ADDRESS, one => (addresses.has(one.toLowerCase()) ? one : ADDRESS_LEFT_OUT))
    },
  }
}

/** Folded and stemmed, without stop words of the language, so that a plural is the same word. */
function words(text: string): string[] {
  return terms(text, stopwordsOf(text))
}

/** The words of a text as they are spelled, those long enough to be told apart when they are run together. */
function wordsCut(text: string): string[] {
  const plain = text.normalize('NFKC').toLowerCase()
  return [...plain.matchAll(/[\p{L}\p{N}]+/gu)].map(([word]) => word).filter(word => word.length >= DISGUISED_CHARS_MIN)
}

function addressesIn(text: string): string[] {
  return [...text.matchAll(ADDRESS)].map(([address]) => address.toLowerCase())
}

/** Every string and number in a value, names of fields included. */
function partsOf(value: unknown): { texts: string[]; numbers: number[] } {
  if (typeof value === 'string') return { texts: [value], numbers: [] }
  if (typeof value === 'number') return { texts: [], numbers: [value] }
  if (typeof value !== 'object' || value === null) return { texts: [], numbers: [] }
  const inner = Object.entries(value).map(([name, one]) => {
    const { texts, numbers } = partsOf(one)
    return { texts: [...(Array.isArray(value) ? [] : [name]), ...texts], numbers }
  })
  return { texts: inner.flatMap(({ texts }) => texts), numbers: inner.flatMap(({ numbers }) => numbers) }
}
