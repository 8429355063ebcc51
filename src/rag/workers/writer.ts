// The thread that writes collection files: one, so that two changes of a file never meet.
import { failure } from '../../platform/errors.ts'
import type { Chunk, Place } from '../chunk.ts'
import { openCollection, removeCollection } from '../store/collection.ts'
import { checkpoint, copyDatabase, isDamaged } from '../store/database.ts'
import { openFiles } from './open-files.ts'
import { told } from './told.ts'

const files = openFiles(openCollection as (dir: string, model: string) => ReturnType<typeof openCollection>)

/** `model`: fingerprint of the one that serves. */
type Of<Rest> = { dir: string; model: string } & Rest
type Version = Of<{ document: string; version: string }>
const there = ({ dir, model }: Of<object>) => files.of(dir, model)

/** Throws `not_found` when the collection is being erased. */
function file(task: Of<object>) {
  const found = there(task)
  if (!found) throw failure('not_found')
  return found
}

export const appended = told((task: Version) => file(task).appended(task.document, task.version))
export const resume = told((task: Version & { places: Place[]; shown?: number }) =>
  file(task).resume(task.document, task.version, task.places, task.shown),
)
export const append = told((task: Version & { passages: Chunk[]; vectors: Float32Array; by: string }) =>
  file(task).append(task.document, task.version, task.passages, task.vectors, task.by),
)
export const publish = told((task: Version) => file(task).publish(task.document, task.version))
export const audit = told((task: Of<{ position: number }>) => {
  try {
    return file(task).audit(task.position)
  } catch (error) {
    if (!isDamaged(error)) throw error
    // Everything in it can be made again.
    files.close(task.dir)
    removeCollection(task.dir)
    return { ...file(task).audit(-1), isAnew: true }
  }
})
export const remove = told((task: Of<{ document: string }>) => file(task).remove(task.document))
export const discard = told((task: Version) => file(task).discard(task.document, task.version))
export const sweep = told((task: Of<{ keep: { document_id: string; version: string }[] }>) => file(task).sweep(task.keep))
// A collection that is being erased lacks nothing.
export const lacking = told((task: Of<{ models: string[]; document?: string; version?: string; limit: number }>) =>
  there(task)?.lacking(task.models, task, task.limit),
)
export const fill = told((task: Of<{ by: string; ids: number[]; vectors: Float32Array }>) =>
  there(task)?.fill(task.by, task.ids, task.vectors),
)
export const settle = told((task: Of<object>) => there(task)?.settle(task.model))
export const copy = told(({ from, to }: { from: string; to: string }) => copyDatabase(from, to))
export const checkpointed = told(({ database }: { database: string }) => checkpoint(database))
export const end = told(({ dir }: { dir: string }) => files.end(dir))
