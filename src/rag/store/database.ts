// A typed door onto one SQLite file: prepared statements kept by their text, rows as the caller describes them, and a full disk
// said as the failure it is. Everything is synchronous, so transactions stay tiny.
import { existsSync } from 'node:fs'
import { DatabaseSync, type SQLInputValue, type StatementSync } from 'node:sqlite'
import { failure } from '../../platform/errors.ts'

/** SQLite's result codes for a disk without room: SQLITE_FULL. */
const SQLITE_FULL = 13
/** Longest wait for another connection's lock, in milliseconds; within one process there is none. */
const BUSY_MS_MAX = 1000

type Values = Record<string, SQLInputValue>

export interface Database {
  /** The first row, or nothing. */
  one<Row>(sql: string, values?: Values): Row | undefined
  all<Row>(sql: string, values?: Values): Row[]
  /** Rows changed. */
  run(sql: string, values?: Values): number
  /** Does `work` whole or not at all; what it returns is on disk when this returns. */
  transaction<T>(work: () => T): T
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
  return doorTo(handle)
}

/** Opens `file` for reading alone, which waits for no writer; nothing when it is not there or not of schema `version` yet. */
export function openReadOnly(file: string, version: number): Database | undefined {
  if (!existsSync(file)) return undefined
  const handle = new DatabaseSync(file, { readOnly: true })
  handle.exec(`PRAGMA busy_timeout = ${BUSY_MS_MAX}`)
  if (versionOf(handle) === version) return doorTo(handle)
  handle.close()
  return undefined
}

function doorTo(handle: DatabaseSync): Database {
  const statements = new Map<string, StatementSync>()
  const statement = (sql: string) => {
    const known = statements.get(sql) ?? handle.prepare(sql)
    statements.set(sql, known)
    return known
  }

  return {
    one: <Row>(sql: string, values: Values = {}) => statement(sql).get(values) as Row | undefined,
    all: <Row>(sql: string, values: Values = {}) => statement(sql).all(values) as Row[],
    run: (sql, values = {}) => roomy(() => Number(statement(sql).run(values).changes)),
    transaction(work) {
      handle.exec('BEGIN IMMEDIATE')
      try {
        const result = work()
        roomy(() => handle.exec('COMMIT'))
        return result
      } catch (error) {
        if (handle.isTransaction) handle.exec('ROLLBACK')
        throw error
      }
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
    handle.exec(`BEGIN IMMEDIATE; ${schema}; PRAGMA user_version = ${version + 1}; COMMIT`)
  }
}

function roomy<T>(work: () => T): T {
  try {
    return work()
  } catch (error) {
    if ((error as { errcode?: number }).errcode === SQLITE_FULL) throw failure('storage_full', undefined, { cause: error })
    throw error
  }
}
