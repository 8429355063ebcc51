// The state of every index, page by page, for whoever runs the system: counts and models, never names or contents.
import type { Lanes } from './lanes.ts'
import type { Catalogue } from './store/catalogue.ts'

interface Parts {
  catalogue: Catalogue
  index: Lanes['index']
  directory: (collection: string) => string
}

export function openIndexes({ catalogue: { collections }, index, directory }: Parts) {
  /** A page of indexes, oldest collection first; `cursor` is the id the page before ended with. */
  return async (limit: number, cursor?: string) => {
    const ids = collections.page(limit + 1, cursor)
    const indexes = []
    for (const id of ids.slice(0, limit)) indexes.push({ collection_id: id, ...(await index(directory(id))) })
    return { indexes, next_cursor: ids.length > limit ? (ids[limit - 1] ?? null) : null }
  }
}
