// A typed door onto one SQLite file: prepared statements kept by their text, rows as the caller describes them, and a full disk
// said as the failure it is. Everything is synchronous, so transactions stay tiny; only the wait for the disk can be left to others.
import { closeSync, existsSync, fsyncSync, openSync, rmSync } from 'node:fs'
import { DatabaseSync, type SQLInputValue, type StatementSync } from 'node:sqlite'
import { failure } from '../../platform/errors.ts'
import { flusher } from './flusher.ts'

/** SQLite's result codes: SQLITE_CORRUPT, SQLITE_FULL (a disk without room), SQLITE_NOTADB. */
const SQLITE_CORRUPT = 11
const SQLITE_FULL = 13
const SQLITE_NOTADB = 26
/** Commits after which the log is emptied where that is left to others: some megabytes. */
const COMMITS_PER_CHECKPOINT = 250
/** Longest wait for another connection's lock, in milliseconds; within one process there is none. */
const BUSY_MS_MAX = 1000

type Values = Record<string, SQLInputValue>

export interface Database {
  /** The first row, or nothing. */
  one<Row>(sql: string, values?: Values): Row | undefined
  all<Row>(sql: string, values?: Values): Row[]
  /** The same one after the other, for more than should be in memory together. */
  each<Row>(sql: string, values?: Values): Iterable<Row>
  /** Rows changed. */
  run(sql: string, values?: Values): number
  /** Does `work` whole or not at all; what it returns is on disk when this returns. */
  transaction<T>(work: () => T): T
  /**
   * Does `work` whole or not at all, now; when this resolves it is on disk. Meanwhile the thread goes on, and what is done while the disk is
   * busy waits for it together.
   */
  later<T>(work: () => T): Promise<T>
  /** The same without any wait for the disk: it is there when what is done after it is. For what can be made again. */
  unwaited<T>(work: () => T): T
  /** Leaves it to `work` to move what the log holds into the file, which blocks; it is called now and again. */
  checkpointed(work: () => Promise<void>): void
  /** Tells `work`, once, that the disk could not write: from then on `later` always rejects, and what it said before may be lost. */
  undurable(work: (error: unknown) => void): void
  close(): void
}

/** Opens `file` durable: write-ahead log, and every commit waits for the disk. `schemas[n]` takes the file from version n to n + 1. */
export function openDatabase(file: string, schemas: readonly string[]): Database {
  const handle = new DatabaseSync(file)
  handle.exec(
    `PRAGMA journal_mode = WAL; PRAGMA synchronous = FULL; PRAGMA foreign_keys = ON; PRAGMA busy_timeout = ${BUSY_MS_MAX}`,
  )
  handle.exec('PRAGMA secure_delete = ON')
  upgrade(handle, file, schemas)
  return doorTo(handle, file)
}

/** Opens `file` for reading alone, which waits for no writer; nothing when it is not there or just being made. An older one is brought up. */
export function openReadOnly(file: string, schemas: readonly string[]): Database | undefined {
  if (!existsSync(file)) return undefined
  const handle = new DatabaseSync(file, { readOnly: true })
  handle.exec(`PRAGMA busy_timeout = ${BUSY_MS_MAX}`)
  const version = versionOf(handle)
  if (version === schemas.length) return doorTo(handle, file)
  handle.close()
  if (version === 0) return undefined
  openDatabase(file, schemas).close()
  return openReadOnly(file, schemas)
}

/** Writes what `file` holds now to a new file, which is on disk when this returns. A long block: for a worker thread. */
export function copyDatabase(file: string, to: string) {
  const handle = new DatabaseSync(file, { readOnly: true })
  try {
    roomy(() => handle.prepare('VACUUM INTO ?').run(to))
  } finally {
    handle.close()
  }
  const copied = openSync(to, 'r')
  fsyncSync(copied)
  closeSync(copied)
}

/** Moves what the log of `file` holds into it, as far as nobody reads it. A long block: for a worker thread. */
export function checkpoint(file: string) {
  const handle = new DatabaseSync(file)
  handle.exec('PRAGMA wal_checkpoint(PASSIVE)')
  handle.close()
}

function doorTo(handle: DatabaseSync, file: string): Database {
  const statements = new Map<string, StatementSync>()
  const statement = (sql: string) => {
    const known = statements.get(sql) ?? handle.prepare(sql)
    statements.set(sql, known)
    return known
  }

  /** Told of whatever has made the log longer. */
  function committed() {
    commits++
    if (commits % COMMITS_PER_CHECKPOINT === 0) empty?.()
  }

  function transaction<T>(work: () => T): T {
    handle.exec('BEGIN IMMEDIATE')
    try {
      const result = work()
      roomy(() => handle.exec('COMMIT'))
      return result
    } catch (error) {
      if (handle.isTransaction) handle.exec('ROLLBACK')
      throw error
    } finally {
      committed()
    }
  }

  /** In this mode a commit is in the log when it returns, and the bytes of the log are all that has to reach the disk. */
  function unwaited<T>(work: () => T): T {
    handle.exec('PRAGMA synchronous = NORMAL')
    try {
      return transaction(work)
    } finally {
      handle.exec('PRAGMA synchronous = FULL')
    }
  }

  let commits = 0
  let empty: (() => void) | undefined
  let lost: ((error: unknown) => void) | undefined
  const flush = flusher(`${file}-wal`, error => lost?.(error))

  return {
    // These write too, where a change returns its rows.
    one: <Row>(sql: string, values: Values = {}) => roomy(() => statement(sql).get(values) as Row | undefined),
    all: <Row>(sql: string, values: Values = {}) => roomy(() => statement(sql).all(values) as Row[]),
    each: <Row>(sql: string, values: Values = {}) => statement(sql).iterate(values) as Iterable<Row>,
    run(sql, values = {}) {
      const changes = roomy(() => Number(statement(sql).run(values).changes))
      // By itself it is a commit of its own.
      if (!handle.isTransaction) committed()
      return changes
    },
    transaction,
    unwaited,
    async later(work) {
      const result = unwaited(work)
      await flush()
      return result
    },
    checkpointed(work) {
      handle.exec('PRAGMA wal_autocheckpoint = 0')
      empty = () => void work()
    },
    undurable(work) {
      lost = work
    },
    close: () => handle.close(),
  }
}

function versionOf(handle: DatabaseSync): number {
  return (handle.prepare('PRAGMA user_version').get() as { user_version: number }).user_version
}

function upgrade(handle: DatabaseSync, file: string, schemas: readonly string[]) {
  const written = versionOf(handle)
  if (written > schemas.length) {
    throw new Error(`${file} was written by a newer version of this program (schema ${written}); start that one`)
  }
  for (const [version, schema] of schemas.entries()) {
    if (version < written) continue
    handle.exec('BEGIN IMMEDIATE')
    // Another thread may have brought it up meanwhile.
    if (versionOf(handle) === version) handle.exec(`${schema}; PRAGMA user_version = ${version + 1}`)
    handle.exec('COMMIT')
  }
}

/** Is the file none of a database's, or not as it was written? */
export function isDamaged(error: unknown): boolean {
  const { errcode } = error as { errcode?: number }
  return errcode === SQLITE_CORRUPT || errcode === SQLITE_NOTADB
}

/** Removes a database with what lies beside it; nobody may have it open. */
export function removeDatabase(file: string) {
  for (const path of [file, `${file}-wal`, `${file}-shm`]) rmSync(path, { force: true })
}

function roomy<T>(work: () => T): T {
  try {
    return work()
  } catch (error) {
    if ((error as { errcode?: number }).errcode === SQLITE_FULL) throw failure('storage_full', undefined, { cause: error })
    throw error
  }
}
