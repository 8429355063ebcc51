// One collection's file: its passages with their vectors, and the full-text index over them. What is appended is invisible until it is
// published; one transaction then shows the new version and removes the old one, and every such flip moves `position` on.
import { join } from 'node:path'
import type { Chunk } from '../chunk.ts'
import { indexTerms } from '../lexical.ts'
import type { Audit } from '../mending.ts'
import { requireSameModel } from '../models.ts'
import { BESIDE, besideOf } from './beside.ts'
import { type Database, openDatabase, openReadOnly, removeDatabase } from './database.ts'
import { removeGraph } from './graph-file.ts'
import { hiddenOf } from './hidden.ts'
import { type Passages, passagesOf } from './passages.ts'
import type { Shown } from './tables/documents.ts'

const FILE = 'passages.sqlite'
/** Removals remembered, so that a vector index that is a little behind can follow; one further behind is made anew. */
const REMOVALS_MAX = 100_000
/** How often emptying the log is tried; each time waits for the reader that is in the way. */
const EMPTYING_MAX = 30

/**
 * Share of a collection above which removed words go by rewriting the full-text index whole (16 µs per passage that stays), below which they
 * are taken out one by one (1 to 5 ms per passage that goes). Measured with 20,000 passages of 150 words.
 */
const REWRITE_SHARE = 0.01

// The index holds terms only (content=''), so a deletion has to name them again: that is what the column `terms` is for.
const SCHEMA = `
CREATE TABLE passages (
  id INTEGER PRIMARY KEY AUTOINCREMENT, document TEXT NOT NULL, version TEXT NOT NULL, ordinal INTEGER NOT NULL,
  start_byte INTEGER NOT NULL, end_byte INTEGER NOT NULL, content TEXT NOT NULL, page INTEGER, heading TEXT,
  terms TEXT NOT NULL, vector BLOB NOT NULL, published INTEGER NOT NULL DEFAULT 0, UNIQUE (document, version, ordinal)
);
CREATE INDEX passages_published ON passages (published);
CREATE TABLE removals (passage INTEGER PRIMARY KEY, position INTEGER NOT NULL);
CREATE INDEX removals_position ON removals (position);
CREATE TABLE state (
  one INTEGER PRIMARY KEY CHECK (one = 1), position INTEGER NOT NULL, published INTEGER NOT NULL, forgotten INTEGER NOT NULL, model TEXT
);
INSERT INTO state VALUES (1, 0, 0, 0, NULL);
CREATE VIRTUAL TABLE words USING fts5 (terms, content='', tokenize="unicode61 remove_diacritics 0 categories 'L* N* Co M*' tokenchars '.,''’'");
CREATE VIRTUAL TABLE vocabulary USING fts5vocab (words, 'row')`
const schemas = [SCHEMA, BESIDE]
/** Stands for a vector of the collection's own model until it is made. */
const NONE = new Uint8Array()

export interface Row {
  id: number
  terms: string
  published: number
}

export type CollectionFile = ReturnType<typeof openCollection>

/**
 * Opens the collection in `dir` for writing; a new one is of `model` (a fingerprint). Throws `conflict` when what is there has vectors of
 * other models only.
 */
export function openCollection(dir: string, model: string, removalsMax = REMOVALS_MAX) {
  const database = openDatabase(join(dir, FILE), schemas)
  database.run('UPDATE state SET model = :model WHERE model IS NULL', { model })
  requireModel(database, model, model)
  return {
    ...writing(database, dir, model, removalsMax),
    ...besideOf(database),
    ...passagesOf(database),
    close: database.close,
  }
}

/** Opens the collection in `dir` for searching; nothing when nothing was ever written to it. */
export function openPassages(dir: string) {
  const database = openReadOnly(join(dir, FILE), schemas)
  if (!database) return undefined
  const own = passagesOf(database)
  const beside = passagesOf(database, 'beside')
  return {
    ...own,
    /** The passages with their vectors of `model`. Throws `conflict` when they have none. */
    of(model: string): Passages {
      const { model: stored, beside: other } = modelsOf(database)
      if (other === model) return beside
      requireSameModel(stored ?? model, model)
      return own
    },
    models: () => modelsOf(database),
    close: database.close,
  }
}

/** Removes the collection's file and its vector caches. */
export function removeCollection(dir: string) {
  removeDatabase(join(dir, FILE))
  removeGraph(dir)
}

interface Models {
  model: string | null
  beside: string | null
}

function modelsOf(database: Database): Models {
  return database.one<Models>('SELECT model, beside FROM state') ?? { model: null, beside: null }
}

function requireModel(database: Database, model: string, wanted: string) {
  const { model: stored, beside } = modelsOf(database)
  if (beside === wanted) return
  try {
    requireSameModel(stored ?? model, wanted)
  } catch (error) {
    database.close()
    throw error
  }
}

function writing(database: Database, dir: string, model: string, removalsMax: number) {
  const { one, all, run, transaction, unwaited } = database

  const position = (): number => one<{ position: number }>('SELECT position FROM state')?.position ?? 0

  /** Does `change`, which says by how much the number of visible passages grew, at the next position; gives the position there is then. */
  function flip(change: (next: number) => { grown: number; changed: boolean }): { grown: number; position: number } {
    return transaction(() => {
      const next = position() + 1
      const { grown, changed } = change(next)
      if (!changed) return { grown, position: next - 1 }
      run('UPDATE state SET position = :next, published = published + :grown', { next, grown })
      forget(next)
      return { grown, position: next }
    })
  }

  /** Takes passages out of everything, so that their words are in no part of the index; returns how many had been visible. */
  function take(rows: Row[], position: number): number {
    const visible = rows.filter(row => row.published > 0)
    if (visible.length > 0) unindex(visible)
    for (const { id } of visible) run('INSERT INTO removals VALUES (:id, :position)', { id, position })
    for (const { id } of rows) run('DELETE FROM passages WHERE id = :id', { id })
    return visible.length
  }

  function unindex(rows: Row[]) {
    const isMany = rows.length > REWRITE_SHARE * (one<{ published: number }>('SELECT published FROM state')?.published ?? 0)
    run(`INSERT INTO words (words, rank) VALUES ('secure-delete', ${isMany ? 0 : 1})`)
    for (const { id, terms } of rows) run(`INSERT INTO words (words, rowid, terms) VALUES ('delete', :id, :terms)`, { id, terms })
    if (isMany) run(`INSERT INTO words (words) VALUES ('optimize')`)
  }

  /** Remembers no more removals than it should; there are more only where some were made at `position`. */
  function forget(position: number) {
    if (!one('SELECT 1 FROM removals WHERE position = :position LIMIT 1', { position })) return
    const last = one<{ position: number }>('SELECT position FROM removals ORDER BY position DESC LIMIT 1 OFFSET :most', {
      most: removalsMax,
    })
    if (!last) return
    run('DELETE FROM removals WHERE position <= :position', { position: last.position })
    run('UPDATE state SET forgotten = :position', { position: last.position })
  }

  /** Empties the log, which still holds what was overwritten. */
  function emptyLog() {
    for (let i = 0; i < EMPTYING_MAX; i++) {
      if (one<{ busy: number }>('PRAGMA wal_checkpoint(TRUNCATE)')?.busy === 0) return
    }
    throw new Error(`The log of ${dir} can't be emptied: it is being read all the time`)
  }

  const hidden = hiddenOf(database, flip, take)
  return {
    ...hidden,

    /**
     * Adds passages after those already there. `vectors` is row-major, one row of float32 per passage, made by `by`, one of the models the
     * collection has vectors of. Nothing is visible yet, and all of it waits for the disk when it is published.
     */
    append(document: string, version: string, passages: Chunk[], vectors: Float32Array, by = model) {
      const dimensions = vectors.length / passages.length
      unwaited(() => {
        const first = hidden.appended(document, version)
        const { model: stored, beside } = modelsOf(database)
        const isBeside = beside === by
        if (!isBeside) requireSameModel(stored ?? by, by)
        for (const [i, { start_byte, end_byte, content, page = null, heading = null }] of passages.entries()) {
          const row = vectors.subarray(i * dimensions, (i + 1) * dimensions)
          const vector = new Uint8Array(row.buffer, row.byteOffset, row.byteLength)
          const terms = indexTerms(content, heading)
          run(
            `INSERT INTO passages (document, version, ordinal, start_byte, end_byte, content, page, heading, terms, vector)
             VALUES (:document, :version, :ordinal, :start_byte, :end_byte, :content, :page, :heading, :terms, :vector)`,
            {
              ...{ document, version, ordinal: first + i, start_byte, end_byte, content, page, heading, terms },
              vector: isBeside ? NONE : vector,
            },
          )
          if (isBeside) run('INSERT INTO beside VALUES (last_insert_rowid(), 0, :vector)', { vector })
        }
      })
    },

    /** Unless what is visible has changed `known` times: how often it has, and of which version of which document how many passages are. */
    audit(known: number): Audit | undefined {
      const visible =
        'SELECT document, version, count(*) AS passages FROM passages WHERE published > 0 GROUP BY document, version'
      return position() === known ? undefined : { position: position(), shown: all<Shown>(visible) }
    },

    /** Shows this version and removes the one that was shown before, in one step; gives the position reached. Done twice, it is done once. */
    publish(document: string, version: string): number {
      return flip(position => {
        const old = all<Row>(
          'SELECT id, terms, published FROM passages WHERE document = :document AND version <> :version AND published > 0',
          { document, version },
        )
        const fresh = hidden.notShown(document, version)
        const gone = take(old, position)
        for (const { id, terms } of fresh) {
          run('INSERT INTO words (rowid, terms) VALUES (:id, :terms)', { id, terms })
          run('UPDATE passages SET published = :position WHERE id = :id', { id, position })
          run('UPDATE beside SET published = :position WHERE passage = :id', { id, position })
        }
        return { grown: fresh.length - gone, changed: gone + fresh.length > 0 }
      }).position
    },

    /** Removes everything of a document, from the log and the vector cache too; says how many visible passages went, and the position. */
    remove(document: string): { passages: number; position: number } {
      const { grown, position: reached } = flip(position => {
        const rows = all<Row>('SELECT id, terms, published FROM passages WHERE document = :document', { document })
        const gone = take(rows, position)
        return { grown: -gone, changed: gone > 0 }
      })
      emptyLog()
      removeGraph(dir)
      return { passages: -grown, position: reached }
    },
  }
}
