// What a folder holds. One that is not there holds nothing; one that cannot be read is not taken for empty.
import { readdir } from 'node:fs/promises'

export async function namesIn(folder: string): Promise<string[]> {
  try {
    return await readdir(folder)
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return []
    throw error
  }
}
