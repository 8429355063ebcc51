// One process per data folder. The lock is a record lock that SQLite takes on the file `lock`; the kernel drops it when the process
// dies, however it dies, so there is never a stale one to remove by hand.
import { join } from 'node:path'
import { DatabaseSync } from 'node:sqlite'

/** Takes the data folder for this process; throws one sentence when another process has it. */
export function lockFolder(dataDir: string): { release: () => void } {
  const held = new DatabaseSync(join(dataDir, 'lock'))
  try {
    held.exec('PRAGMA locking_mode = EXCLUSIVE; BEGIN EXCLUSIVE')
  } catch (cause) {
    held.close()
    throw new Error(`Another rag process has the data folder ${dataDir}; stop it first or set RAG_DATA_DIR to another folder`, {
      cause,
    })
  }
  return { release: () => held.close() }
}
