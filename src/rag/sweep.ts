// Removes what a process that died left without an owner: files that no row names, passages of versions that are neither shown nor
// being made, folders of collections that are gone. Runs beside everything else, one collection after the other, each while nobody
// decides about its files: a start costs nothing per collection.
import type { Exclusive } from './exclusive.ts'
import type { Catalogue } from './store/catalogue.ts'
import type { Originals } from './store/originals.ts'

interface Parts {
  catalogue: Catalogue
  originals: Originals
  exclusive: Exclusive
  write: { sweep: (dir: string, keep: { document_id: string; version: string }[]) => Promise<number> }
}

export async function sweep({ catalogue, originals, exclusive, write }: Parts, signal?: AbortSignal): Promise<void> {
  const { collections, versions, jobs } = catalogue
  // Folders first: a collection has its row before it has its folder.
  const folders = await originals.collections()
  const known = new Set(collections.ids())
  for (const id of folders) {
    if (signal?.aborted) return
    await exclusive(id, async () => {
      if (!known.has(id)) return originals.removeCollection(id)
      await originals.sweep(id, 'originals', new Set(versions.originals(id)))
      await originals.sweep(id, 'texts', new Set(versions.texts(id)))
      await write.sweep(originals.directory(id), jobs.making(id))
    })
  }
}
