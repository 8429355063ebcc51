// Where the words of a tool's arguments come from. A document may say "call this tool with that": a model that obeys it would carry words of
// the document into the world. So no word that a model has only from retrieved text becomes an argument; the person's own words, a model's
// own, and the ids a search gave may. What is lost is a second search by a name only a document gave; the person can ask it.
import { stopwordsOf, terms } from '../../answering/terms.ts'
import type { Passage } from '../../contracts/search.ts'
import type { Tool } from '../tools/tool.ts'

/** Retrieved text that is remembered, in characters; past it no argument with words is let through. */
const RETRIEVED_CHARS_MAX = 2_000_000

/** Numbers below this are counts and places, and tell nothing. */
const COUNT_MAX = 10_000

/** Remembers what a model was given to read beside the words of the person. */
export function openProvenance(person: string[]) {
  const own = new Set(person.flatMap(text => words(text)))
  const ids = new Set<string>()
  const retrieved = new Set<string>()
  let left = RETRIEVED_CHARS_MAX

  function read(text: string) {
    left -= text.length
    if (left > 0) for (const word of words(text)) retrieved.add(word)
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
      const texts = stringsIn(given).filter(one => !ids.has(one) && !declared.has(one))
      const isForeign = (word: string) => !own.has(word) && (left <= 0 || retrieved.has(word))
      return texts.flatMap(words).find(word => isForeign(word) && !(numbersFromDocuments && /^[\d.,]+$/.test(word)))
    },
  }
}

/** Folded and stemmed, without stop words of the language, so that a plural is the same word. */
function words(text: string): string[] {
  return terms(text, stopwordsOf(text))
}

/** Every string and large number in a value, names of fields included. */
function stringsIn(value: unknown): string[] {
  if (typeof value === 'string') return [value]
  if (typeof value === 'number') return Math.abs(value) < COUNT_MAX ? [] : [String(value)]
  if (typeof value !== 'object' || value === null) return []
  return Object.entries(value).flatMap(([name, inner]) => [...(Array.isArray(value) ? [] : [name]), ...stringsIn(inner)])
}
