// Finding: a question goes to the collections its asker may read and to no other; what comes back is dressed with what the catalogue
// knows of the documents. A document that is just being erased is not among them, whatever an index still holds.
import { answer, NOTHING_FOUND } from '../answering/answer.ts'
import type { Passage, SearchMode } from '../contracts/search.ts'
import type { Collections } from './collections.ts'
import type { Filter } from './filter.ts'
import type { Hit, SearchOrder } from './search.ts'
import type { Catalogue } from './store/catalogue.ts'
import type { Originals } from './store/originals.ts'
import type { Matched } from './workers/matcher.ts'

interface Parts {
  catalogue: Catalogue
  collections: Collections
  originals: Pick<Originals, 'directory' | 'texts'>
  /** In the user's turn. */
  search: (user: string, order: SearchOrder) => Promise<Hit[]>
  /** The documents that a filter lets through, in the user's turn. */
  matching: (user: string, collections: string[], filter: Filter) => Promise<Matched>
  /** Passages given when the asker names no number, and the least score that supports an answer. */
  topK: number
  scoreMin: number
}

export interface Question {
  query: string
  top_k?: number
  mode?: SearchMode
  collection_ids?: string[]
  min_score?: number
  group_by?: 'document'
  filter?: Filter
  explain?: boolean
}

export function openFinding({ catalogue, collections, originals, search, matching, topK, scoreMin }: Parts) {
  const { documents } = catalogue

  /** The best passages the user may read, best first, each compared with its canonical text just now; `model` names another than the one that serves. Throws `not_found` for a named collection she may not. */
  async function passages(user: string, question: Question, model?: string): Promise<Passage[]> {
    const { query, mode = 'hybrid', top_k = topK, min_score, group_by, filter, explain = false } = question
    const ids = collections.searched(user, question.collection_ids)
    const matched = filter && (await matching(user, ids, filter))
    const hits = await search(user, {
      query,
      mode,
      top_k,
      min_score,
      group_by,
      model,
      collections: (matched ? ids.filter(id => matched.has(id)) : ids).map(id => ({
        ...{ id, dir: originals.directory(id), texts: originals.texts(id), documents: matched?.get(id) },
      })),
    })
    const known = new Map(documents.byIds(JSON.stringify(hits.map(hit => hit.document_id))).map(row => [row.id, row]))
    return hits.flatMap(({ legs, ...hit }) => {
      const row = known.get(hit.document_id)
      if (!row) return []
      const { title, source, metadata } = row
      return [{ ...hit, title, source, metadata: JSON.parse(metadata), ...(explain && { legs }) }]
    })
  }

  /** The passages that score high enough to support an answer. */
  const supporting = (user: string, query: string, top_k?: number) => passages(user, { query, top_k, min_score: scoreMin })

  return {
    passages,
    supporting,

    /** The passages that support an answer, and the answer: sentences of theirs, each with its place. */
    async answered(user: string, query: string, top_k?: number) {
      const found = await supporting(user, query, top_k)
      const { grounded, sentences } = answer(query, found, { scoreMin })
      const said = grounded ? sentences.map(({ text }) => text).join(' ') : NOTHING_FOUND
      const sources = sentences.flatMap(({ passage, start_byte, end_byte, text: quote }) => {
        const of = found[passage]
        return of
          ? [
              {
                document_id: of.document_id,
                version: of.version,
                title: of.title,
                source: of.source,
                start_byte,
                end_byte,
                quote,
                score: of.score,
              },
            ]
          : []
      })
      return {
        documents: found,
        context: found.map(({ content }) => content).join('\n\n'),
        response: said,
        answer: said,
        grounded,
        sources,
      }
    },
  }
}
