// The thread that writes collection files: one, so that two changes of a file never meet.
import { workerData } from 'node:worker_threads'
import type { Chunk } from '../chunk.ts'
import { openFiles } from './open-files.ts'
import { told } from './told.ts'

const files = openFiles((workerData as { fingerprint: string }).fingerprint, () => undefined)
const file = (dir: string) => files.of(dir).file

type Of<Rest> = { dir: string } & Rest
type Version = Of<{ document: string; version: string }>

export const appended = told(({ dir, document, version }: Version) => file(dir).appended(document, version))
export const append = told(
  ({ dir, document, version, passages, vectors }: Version & { passages: Chunk[]; vectors: Float32Array }) =>
    file(dir).append(document, version, passages, vectors),
)
export const publish = told(({ dir, document, version }: Version) => file(dir).publish(document, version))
export const remove = told(({ dir, document }: Of<{ document: string }>) => file(dir).remove(document))
export const sweep = told(({ dir, keep }: Of<{ keep: { document_id: string; version: string }[] }>) => file(dir).sweep(keep))
export const close = told(({ dir }: Of<object>) => files.close(dir))
