// What search reads of a collection's file: only what is published, and how that changed since a position, so that an index kept in
// memory can follow. Nothing here writes.
import type { Database } from './database.ts'

/** A passage as search hands it on. */
export interface StoredPassage {
  id: number
  document: string
  version: string
  ordinal: number
  start_byte: number
  end_byte: number
  content: string
  page: number | null
  heading: string | null
}
export interface StoredVector {
  id: number
  /** Position it was published at. */
  published: number
  vector: Uint8Array
}
/** How often what is visible has changed, and how many passages are visible. */
export interface State {
  position: number
  published: number
}

export type Passages = ReturnType<typeof passagesOf>

/** Vectors that are there, by the model they are from: the collection's own, or the one beside it. */
const vectorsIn = {
  own: '(SELECT id, published, vector, document FROM passages WHERE length(vector) > 0)',
  beside:
    '(SELECT passage AS id, beside.published, beside.vector, document FROM beside JOIN passages ON passages.id = beside.passage)',
}

export function passagesOf({ one, all, each, run }: Database, from: keyof typeof vectorsIn = 'own') {
  const vectors = vectorsIn[from]
  let isSnapshot = false
  return {
    /** What `work` reads, it reads as of one moment, whatever is published meanwhile. One inside another is the same moment. */
    snapshot<Result>(work: () => Result): Result {
      if (isSnapshot) return work()
      run('BEGIN')
      isSnapshot = true
      try {
        return work()
      } finally {
        isSnapshot = false
        run('COMMIT')
      }
    },

    state: (): State => one<State>('SELECT position, published FROM state') ?? { position: 0, published: 0 },

    /** Best first, of some documents (a JSON list of ids) or of all. `match` is a full-text expression; `score` is BM25 as the engine gives it, turned so that higher is better. */
    match: (match: string, limit: number, documents?: string): { id: number; score: number }[] =>
      documents
        ? all(
            `SELECT words.rowid AS id, -bm25(words) AS score FROM words JOIN passages ON passages.id = words.rowid
             WHERE words MATCH :match AND document IN (SELECT value FROM json_each(:documents)) ORDER BY bm25(words), words.rowid LIMIT :limit`,
            { match, limit, documents },
          )
        : all('SELECT rowid AS id, -bm25(words) AS score FROM words WHERE words MATCH :match ORDER BY rank, rowid LIMIT :limit', {
            match,
            limit,
          }),

    /** In how many visible passages each of these terms stands; a term that stands in none is left out. */
    frequencies(terms: string[]): Map<string, number> {
      const found = terms.flatMap((term): [string, number][] => {
        const doc = one<{ doc: number }>('SELECT doc FROM vocabulary WHERE term = :term', { term })?.doc
        return doc ? [[term, doc]] : []
      })
      return new Map(found)
    },

    passages: (ids: number[]): StoredPassage[] =>
      all(
        `SELECT id, document, version, ordinal, start_byte, end_byte, content, page, heading FROM passages
         WHERE published > 0 AND id IN (SELECT value FROM json_each(:ids))`,
        { ids: JSON.stringify(ids) },
      ),

    vectors: (ids: number[]): StoredVector[] =>
      all(
        `SELECT id, published, vector FROM ${vectors}
         WHERE published > 0 AND id IN (SELECT value FROM json_each(:ids))`,
        { ids: JSON.stringify(ids) },
      ),

    /** Those of some documents (a JSON list of ids), one after the other. */
    vectorsOf: (documents: string): Iterable<StoredVector> =>
      each(
        `SELECT id, published, vector FROM ${vectors}
         WHERE published > 0 AND document IN (SELECT value FROM json_each(:documents))`,
        { documents },
      ),

    /** Whether these documents (a JSON list of ids) have more passages than `count`, visible or not: that stands in an index. */
    exceed: (documents: string, count: number): boolean =>
      one(`SELECT 1 FROM passages WHERE document IN (SELECT value FROM json_each(:documents)) LIMIT 1 OFFSET :count`, {
        documents,
        count,
      }) !== undefined,

    /** Which of these passages are of some documents, both JSON lists of ids. Each is looked up, not all of the documents'. */
    among(ids: string, documents: string): number[] {
      const rows = all<{ id: number }>(
        `SELECT id FROM passages
         WHERE id IN (SELECT value FROM json_each(:ids)) AND +document IN (SELECT value FROM json_each(:documents))`,
        { ids, documents },
      )
      return rows.map(({ id }) => id)
    },

    /** The next visible vectors in the order they were published, after the one published at `published` with this id. */
    vectorsAfter: (published: number, id: number, limit: number): StoredVector[] =>
      all(
        `SELECT id, published, vector FROM ${vectors}
         WHERE published >= max(1, :published) AND (published > :published OR id > :id) ORDER BY published, id LIMIT :limit`,
        { published, id, limit },
      ),

    /** Passages removed after `position`; nothing when that is longer ago than is remembered. */
    removedSince(position: number): number[] | undefined {
      const forgotten = one<{ forgotten: number }>('SELECT forgotten FROM state')?.forgotten ?? 0
      if (position < forgotten) return undefined
      const rows = all<{ passage: number }>('SELECT passage FROM removals WHERE position > :position', { position })
      return rows.map(({ passage }) => passage)
    },
  }
}
