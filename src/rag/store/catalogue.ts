// The catalogue: which collections, documents, versions and jobs there are, who may see them, and what is half done. It decides; the
// collection files and the folders of originals follow it, and what they hold without a row here is swept away.
import { existsSync, readdirSync } from 'node:fs'
import { join } from 'node:path'
import { openDatabase } from './database.ts'
import { schemas } from './schema.ts'
import { collectionTable } from './tables/collections.ts'
import { documentTable } from './tables/documents.ts'
import { erasureTable } from './tables/erasures.ts'
import { evaluationTable } from './tables/evaluations.ts'
import { holdingTable } from './tables/holdings.ts'
import { idempotencyTable } from './tables/idempotency.ts'
import { jobTable } from './tables/jobs.ts'
import { servingTable } from './tables/serving.ts'
import { versionTable } from './tables/versions.ts'

export type Catalogue = ReturnType<typeof openCatalogue>

/**
 * Opens (or makes) the catalogue of a data folder. Throws where there are collections and no catalogue: with a new one, all of them would be
 * swept away. Times in it are milliseconds since 1970, ids are ordered by time (UUID v7).
 */
export function openCatalogue(dataDir: string) {
  const file = join(dataDir, 'catalogue.sqlite')
  refuseWithout(file, join(dataDir, 'collections'))
  const database = openDatabase(file, schemas)
  return {
    file,
    collections: collectionTable(database),
    documents: documentTable(database),
    versions: versionTable(database),
    holdings: holdingTable(database),
    jobs: jobTable(database),
    idempotency: idempotencyTable(database),
    erasures: erasureTable(database),
    evaluations: evaluationTable(database),
    serving: servingTable(database),
    /** Does `work` whole or not at all, durably. */
    transaction: database.transaction,
    /** The same, without blocking while the disk is busy: it is durable when this resolves. */
    later: database.later,
    checkpointed: database.checkpointed,
    undurable: database.undurable,
    /** Can it be read? */
    alive: () => database.one('SELECT 1') !== undefined,
    close: database.close,
  }
}

function refuseWithout(file: string, folders: string) {
  if (existsSync(file) || !existsSync(folders) || readdirSync(folders).length === 0) return
  throw new Error(
    `${file} is missing, but ${folders} holds documents. Put the catalogue of a snapshot back, or move ${folders} away.`,
  )
}
