// Looks after what a process that died left: what a file has lost is mended, what is without an owner is removed: files that nobody needs,
// passages of versions that are neither shown nor being made, folders of collections that are gone. Runs beside everything else, one
// collection after the other, files while nobody decides about them: a start costs nothing per collection.
import type { Exclusive } from './exclusive.ts'
import type { Mend } from './mending.ts'
import type { Catalogue } from './store/catalogue.ts'
import type { Originals } from './store/originals.ts'

interface Parts {
  catalogue: Catalogue
  originals: Originals
  exclusive: Exclusive
  write: { sweep: (dir: string, keep: { document_id: string; version: string }[]) => Promise<number> }
  mend: Mend
  log: { error: (context: object, message: string) => void }
}

export async function sweep({ catalogue, originals, exclusive, write, mend, log }: Parts, signal?: AbortSignal): Promise<void> {
  const { collections, versions, holdings, jobs } = catalogue

  async function sweepOne(id: string) {
    // Outside of the key: these wait while a snapshot is made, and nobody shall wait with them.
    await mend(id)
    await exclusive(id, async () => {
      await originals.sweep(id, 'originals', new Set(holdings.needed(id)))
      holdings.letGoUnneeded(id)
      await originals.sweep(id, 'texts', new Set(versions.texts(id)))
    })
    await write.sweep(originals.directory(id), jobs.making(id))
  }

  // Folders first: a collection has its row before it has its folder.
  const folders = await originals.collections()
  const known = new Set(collections.ids())
  for (const id of folders) {
    if (signal?.aborted) return
    const swept = known.has(id) ? sweepOne(id) : exclusive(id, () => originals.removeCollection(id))
    // One that cannot be swept does not keep the others from it.
    await swept.catch(error =>
      log.error(
        { err: error, collection_id: id },
        'what an earlier process left could not be removed; the next start tries again',
      ),
    )
  }
}
