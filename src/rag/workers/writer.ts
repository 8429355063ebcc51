// The thread that writes collection files: one, so that two changes of a file never meet.
import { workerData } from 'node:worker_threads'
import type { Chunk } from '../chunk.ts'
import { openCollection } from '../store/collection.ts'
import { openFiles } from './open-files.ts'
import { told } from './told.ts'

const { fingerprint } = workerData as { fingerprint: string }
const files = openFiles(dir => openCollection(dir, fingerprint))

type Of<Rest> = { dir: string } & Rest
type Version = Of<{ document: string; version: string }>

export const appended = told(({ dir, document, version }: Version) => files.of(dir).appended(document, version))
export const append = told(
  ({ dir, document, version, passages, vectors }: Version & { passages: Chunk[]; vectors: Float32Array }) =>
    files.of(dir).append(document, version, passages, vectors),
)
export const publish = told(({ dir, document, version }: Version) => files.of(dir).publish(document, version))
export const remove = told(({ dir, document }: Of<{ document: string }>) => files.of(dir).remove(document))
export const sweep = told(({ dir, keep }: Of<{ keep: { document_id: string; version: string }[] }>) => files.of(dir).sweep(keep))
export const close = told(({ dir }: Of<object>) => files.close(dir))
