// Files that lie on the server already, below the one folder the operator named: read where their real path leads, and never outside.
import { constants } from 'node:fs'
import { type FileHandle, open, realpath } from 'node:fs/promises'
import { join, relative, resolve, sep } from 'node:path'
import { Failure, failure } from '../platform/errors.ts'
import { type Arrival, type Arrivals, cleanTitle, discard, type Wishes } from './arrivals.ts'
import type { Originals } from './store/originals.ts'

/** Nothing is followed any more once the real path is known, and a pipe is not waited for. */
const AS_IT_IS = constants.O_RDONLY | constants.O_NOFOLLOW | constants.O_NONBLOCK

/**
 * Takes files below `root` as arrivals, called by their path from there. One that is outside, or not there, or no file, is an arrival
 * that failed as `not_found`. Throws `forbidden` when no folder was named.
 */
export async function receivePaths(
  root: string | undefined,
  paths: readonly string[],
  wishes: Wishes,
  originals: Originals,
  fileBytesMax: number,
): Promise<Arrivals> {
  if (root === undefined) throw failure('forbidden', 'Files on the server are not taken in: RAG_INGEST_ROOT is not set')
  const realRoot = await realpath(root)
  const arrivals: Arrival[] = []
  try {
    for (const path of paths) arrivals.push(await receive(realRoot, path, originals, fileBytesMax))
  } catch (error) {
    await discard(arrivals, originals)
    throw error
  }
  return { wishes: { on_same_name: 'replace', ...wishes }, arrivals }
}

async function receive(root: string, path: string, originals: Originals, fileBytesMax: number): Promise<Arrival> {
  const title = cleanTitle(relative(root, resolve(root, path)))
  let file: FileHandle | undefined
  try {
    file = await openBelow(root, path)
    return { title, file: await originals.spool(file.createReadStream({ autoClose: false }), fileBytesMax) }
  } catch (error) {
    if (error instanceof Failure && error.code !== 'storage_full') return { title, failure: error }
    throw error
  } finally {
    await file?.close()
  }
}

async function openBelow(root: string, path: string): Promise<FileHandle> {
  const absent = (cause?: unknown) => failure('not_found', 'There is no such file below the folder for ingestion', { cause })
  const real = await realpath(resolve(root, path)).catch(cause => {
    throw absent(cause)
  })
  if (!real.startsWith(join(root, sep))) throw absent()
  const file = await open(real, AS_IT_IS).catch(cause => {
    throw absent(cause)
  })
  if ((await file.stat()).isFile()) return file
  await file.close()
  throw absent()
}
