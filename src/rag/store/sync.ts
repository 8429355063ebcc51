// Waits until the disk holds what was written; where names were changed, that is the folder.
import { open } from 'node:fs/promises'

/** Resolves when what was written to a file, or which names a folder holds, is on disk. */
export async function sync(path: string) {
  const file = await open(path, 'r')
  try {
    await file.sync()
  } finally {
    await file.close()
  }
}
