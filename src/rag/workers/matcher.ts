// A thread that looks through the metadata of documents for those a filter lets through. It only reads the catalogue, one document after
// the other, so that neither the event loop nor a search waits for somebody with many documents.
import { type Filter, type Metadata, matcher } from '../filter.ts'
import { openReadOnly } from '../store/database.ts'
import { schemas } from '../store/schema.ts'
import { documentTable } from '../store/tables/documents.ts'
import { told } from './told.ts'

export interface MatchRequest {
  /** The catalogue's file. */
  catalogue: string
  collections: string[]
  filter: Filter
}
/** By collection, the ids of the documents that match, as a JSON list, which is cheap to hand on; those without any are left out. */
export type Matched = Map<string, string>

export const matching = told(({ catalogue, collections, filter }: MatchRequest): Matched => {
  const database = openReadOnly(catalogue, schemas)
  if (!database) return new Map()
  try {
    const { described } = documentTable(database)
    const matches = matcher(filter)
    const matched: Matched = new Map()
    for (const collection of collections) {
      const ids: string[] = []
      for (const { id, metadata } of described(collection)) {
        if (matches(JSON.parse(metadata) as Metadata)) ids.push(id)
      }
      if (ids.length > 0) matched.set(collection, JSON.stringify(ids))
    }
    return matched
  } finally {
    database.close()
  }
})
