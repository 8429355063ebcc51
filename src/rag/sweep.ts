// Removes what a process that died left without an owner: files that no row names, passages of versions that are neither shown nor
// being made, folders of collections that are gone. Runs once, before anything else does.
import type { Catalogue } from './store/catalogue.ts'
import type { Originals } from './store/originals.ts'

interface Parts {
  catalogue: Catalogue
  originals: Originals
  write: { sweep: (dir: string, keep: { document_id: string; version: string }[]) => Promise<number> }
}

export async function sweep({ catalogue: { collections, versions, jobs }, originals, write }: Parts): Promise<void> {
  const known = new Set(collections.ids())
  for (const id of await originals.collections()) {
    if (!known.has(id)) {
      await originals.removeCollection(id)
      continue
    }
    await originals.sweep(id, 'originals', new Set(versions.originals(id)))
    await originals.sweep(id, 'texts', new Set(versions.texts(id)))
    await write.sweep(originals.directory(id), jobs.making(id))
  }
}
