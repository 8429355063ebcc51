// One collection's file: its passages with their vectors, and the full-text index over them. What is appended is invisible until it is
// published; one transaction then shows the new version and removes the old one, and every such flip moves `position` on.
import { rmSync } from 'node:fs'
import { join } from 'node:path'
import type { Chunk } from '../chunk.ts'
import { indexTerms } from '../lexical.ts'
import { requireSameModel } from '../models.ts'
import { type Database, openDatabase } from './database.ts'

/** Removals remembered, so that a vector index that is a little behind can follow; one further behind is made anew. */
const REMOVALS_MAX = 100_000

// The index holds terms only (content=''), so a deletion has to name them again: that is what the column `terms` is for. secure-delete
// takes the words out of the index file at once instead of at some later merge.
const SCHEMA = `
CREATE TABLE passages (
  id INTEGER PRIMARY KEY AUTOINCREMENT, document TEXT NOT NULL, version TEXT NOT NULL, ordinal INTEGER NOT NULL,
  start_byte INTEGER NOT NULL, end_byte INTEGER NOT NULL, content TEXT NOT NULL, page INTEGER, heading TEXT,
  terms TEXT NOT NULL, vector BLOB NOT NULL, published INTEGER NOT NULL DEFAULT 0, UNIQUE (document, version, ordinal)
);
CREATE INDEX passages_published ON passages (published);
CREATE TABLE removals (passage INTEGER PRIMARY KEY, position INTEGER NOT NULL);
CREATE INDEX removals_position ON removals (position);
CREATE TABLE state (one INTEGER PRIMARY KEY CHECK (one = 1), position INTEGER NOT NULL, published INTEGER NOT NULL, model TEXT);
INSERT INTO state VALUES (1, 0, 0, NULL);
CREATE VIRTUAL TABLE words USING fts5 (terms, content='', tokenize="unicode61 remove_diacritics 0 categories 'L* N* Co M*' tokenchars '.,''’'");
INSERT INTO words (words, rank) VALUES ('secure-delete', 1);
CREATE VIRTUAL TABLE vocabulary USING fts5vocab (words, 'row')`

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
  vector: Uint8Array
}
interface Row extends StoredPassage {
  terms: string
  published: number
}

export type CollectionFile = ReturnType<typeof openCollection>

/** Opens the collection in `dir`, whose vectors are all from `model` (a fingerprint). Throws `conflict` when they are from another. */
export function openCollection(dir: string, model: string) {
  const database = openDatabase(join(dir, 'passages.sqlite'), [SCHEMA])
  database.run('UPDATE state SET model = :model WHERE model IS NULL', { model })
  const stored = database.one<{ model: string }>('SELECT model FROM state')?.model ?? ''
  try {
    requireSameModel(stored, model)
  } catch (error) {
    database.close()
    throw error
  }
  return { ...writing(database, dir), ...reading(database), close: database.close }
}

function writing(database: Database, dir: string) {
  const { one, all, run, transaction } = database
  const COLUMNS = 'id, document, version, ordinal, start_byte, end_byte, content, page, heading, terms, published'

  /** Takes passages out of everything; returns how many had been visible. */
  function take(rows: Row[], position: number): number {
    for (const { id, terms, published } of rows) {
      if (published > 0) {
        run(`INSERT INTO words (words, rowid, terms) VALUES ('delete', :id, :terms)`, { id, terms })
        run('INSERT INTO removals VALUES (:id, :position)', { id, position })
      }
      run('DELETE FROM passages WHERE id = :id', { id })
    }
    run('DELETE FROM removals WHERE passage <= (SELECT max(passage) FROM removals) - :most', { most: REMOVALS_MAX })
    return rows.filter(({ published }) => published > 0).length
  }

  const next = () => (one<{ position: number }>('SELECT position FROM state')?.position ?? 0) + 1
  const move = (position: number, change: number) =>
    run('UPDATE state SET position = :position, published = published + :change', { position, change })

  return {
    /** Passages of this version that are here already, so that an interrupted job goes on after them. */
    appended: (document: string, version: string): number =>
      one<{ n: number }>('SELECT count(*) AS n FROM passages WHERE document = :document AND version = :version', {
        document,
        version,
      })?.n ?? 0,

    /** Adds passages after those already there. `vectors` is row-major, one row of float32 per passage. Nothing is visible yet. */
    append(document: string, version: string, passages: Chunk[], vectors: Float32Array) {
      const dimensions = vectors.length / passages.length
      transaction(() => {
        const first = this.appended(document, version)
        for (const [i, passage] of passages.entries()) {
          const { start_byte, end_byte, content, page = null, heading = null } = passage
          const row = vectors.subarray(i * dimensions, (i + 1) * dimensions)
          const vector = new Uint8Array(row.buffer, row.byteOffset, row.byteLength)
          run(
            `INSERT INTO passages (document, version, ordinal, start_byte, end_byte, content, page, heading, terms, vector)
             VALUES (:document, :version, :ordinal, :start_byte, :end_byte, :content, :page, :heading, :terms, :vector)`,
            {
              document,
              version,
              ordinal: first + i,
              start_byte,
              end_byte,
              content,
              page,
              heading,
              terms: indexTerms(content, heading),
              vector,
            },
          )
        }
      })
    },

    /** Shows this version and removes the one that was shown before, in one step. Done twice, it is done once. */
    publish(document: string, version: string) {
      transaction(() => {
        const position = next()
        const old = all<Row>(
          `SELECT ${COLUMNS} FROM passages WHERE document = :document AND version <> :version AND published > 0`,
          { document, version },
        )
        const fresh = all<Row>(
          `SELECT ${COLUMNS} FROM passages WHERE document = :document AND version = :version AND published = 0`,
          { document, version },
        )
        const gone = take(old, position)
        for (const { id, terms } of fresh) run('INSERT INTO words (rowid, terms) VALUES (:id, :terms)', { id, terms })
        run('UPDATE passages SET published = :position WHERE document = :document AND version = :version AND published = 0', {
          document,
          version,
          position,
        })
        if (gone + fresh.length > 0) move(position, fresh.length - gone)
      })
    },

    /** Removes everything of a document, from the log and the vector cache too. */
    remove(document: string): { passages: number } {
      const passages = transaction(() => {
        const position = next()
        const gone = take(all<Row>(`SELECT ${COLUMNS} FROM passages WHERE document = :document`, { document }), position)
        if (gone > 0) move(position, -gone)
        return gone
      })
      one('PRAGMA wal_checkpoint(TRUNCATE)')
      for (const name of ['vectors.hnsw', 'vectors.json']) rmSync(join(dir, name), { force: true })
      return { passages }
    },

    /** Removes passages that were never shown, of versions nobody is making; returns how many. */
    sweep(keep: { document_id: string; version: string }[]): number {
      const kept = new Set(keep.map(({ document_id, version }) => `${document_id} ${version}`))
      const hidden = all<Row>(`SELECT ${COLUMNS} FROM passages WHERE published = 0`)
      return transaction(() => {
        const left = hidden.filter(({ document, version }) => !kept.has(`${document} ${version}`))
        take(left, 0)
        return left.length
      })
    },
  }
}

function reading({ one, all }: Database) {
  const SHOWN = 'id, document, version, ordinal, start_byte, end_byte, content, page, heading'
  const among = (ids: number[]) => ({ ids: JSON.stringify(ids) })

  return {
    /** How often what is visible has changed, and how many passages are visible. */
    state: () =>
      one<{ position: number; published: number }>('SELECT position, published FROM state') ?? { position: 0, published: 0 },

    /** Best first. `match` is a full-text expression; `score` is BM25 as the engine gives it, turned so that higher is better. */
    match: (match: string, limit: number, documents?: string[]): { id: number; score: number }[] =>
      documents
        ? all(
            `SELECT words.rowid AS id, -bm25(words) AS score FROM words JOIN passages ON passages.id = words.rowid
             WHERE words MATCH :match AND document IN (SELECT value FROM json_each(:documents)) ORDER BY bm25(words), words.rowid LIMIT :limit`,
            { match, limit, documents: JSON.stringify(documents) },
          )
        : all('SELECT rowid AS id, -bm25(words) AS score FROM words WHERE words MATCH :match ORDER BY rank, rowid LIMIT :limit', {
            match,
            limit,
          }),

    /** In how many visible passages each of these terms stands. */
    frequencies: (terms: string[]): Map<string, number> =>
      new Map(
        all<{ term: string; doc: number }>(
          'SELECT term, doc FROM vocabulary WHERE term IN (SELECT value FROM json_each(:terms))',
          {
            terms: JSON.stringify(terms),
          },
        ).map(({ term, doc }) => [term, doc]),
      ),

    passages: (ids: number[]): StoredPassage[] =>
      all(`SELECT ${SHOWN} FROM passages WHERE published > 0 AND id IN (SELECT value FROM json_each(:ids))`, among(ids)),

    vectors: (ids: number[]): StoredVector[] =>
      all('SELECT id, vector FROM passages WHERE published > 0 AND id IN (SELECT value FROM json_each(:ids))', among(ids)),

    vectorsOf: (documents: string[]): StoredVector[] =>
      all('SELECT id, vector FROM passages WHERE published > 0 AND document IN (SELECT value FROM json_each(:documents))', {
        documents: JSON.stringify(documents),
      }),

    /** Visible vectors in id order after `after` that were shown later than `position`. */
    vectorsSince: (position: number, after: number, limit: number): StoredVector[] =>
      all('SELECT id, vector FROM passages WHERE published > :position AND id > :after ORDER BY id LIMIT :limit', {
        position,
        after,
        limit,
      }),

    /** Passages removed after `position`; nothing when that is longer ago than is remembered. */
    removedSince(position: number): number[] | undefined {
      const oldest =
        one<{ position: number | null }>('SELECT min(position) AS position FROM removals')?.position ?? Number.POSITIVE_INFINITY
      const count = one<{ n: number }>('SELECT count(*) AS n FROM removals')?.n ?? 0
      if (count >= REMOVALS_MAX && position < oldest) return undefined
      return all<{ passage: number }>('SELECT passage FROM removals WHERE position > :position', { position }).map(
        ({ passage }) => passage,
      )
    },
  }
}
