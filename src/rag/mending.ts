// Notices when a collection's file is not the one the catalogue followed: a torn log, a file that was put back or removed. Every change of
// what a file shows moves its position on, and the catalogue notes the position in the transaction that follows it; where the two differ,
// what is shown is compared document by document. What is lost is made again from its original, what should not be there goes.
import type { Catalogue } from './store/catalogue.ts'
import { id as newId } from './store/tables/collections.ts'
import type { Shown } from './store/tables/documents.ts'
import type { Queued } from './uploads.ts'

interface Parts {
  catalogue: Catalogue
  directory: (collection: string) => string
  write: {
    /** What a collection's file shows, unless it stands at `position`. */
    audit: (dir: string, position: number) => Promise<Audit | undefined>
    remove: (dir: string, document: string) => Promise<{ position: number }>
  }
  /** Takes the jobs of what is made again. */
  offer: (jobs: Queued[]) => void
  log: { warn: (context: object, message: string) => void }
}
/** Where a collection's file stands and what it shows. */
export interface Audit {
  position: number
  shown: Shown[]
}
/** Looks at a collection's file, once in the life of this process; to be awaited before anything in it is changed. */
export type Mend = (collection: string) => Promise<void>

export function openMending({ catalogue, directory, write, offer, log }: Parts): Mend {
  const { collections, documents, jobs, transaction } = catalogue
  const looked = new Map<string, Promise<void>>()

  async function look(collection: string) {
    const dir = directory(collection)
    const found = await write.audit(dir, collections.position(collection))
    if (!found) return
    let { position } = found
    const wanted = documents.shown(collection)
    const isBusy = (document: string) => jobs.unfinishedOf(document).length > 0

    const known = new Map(wanted.map(one => [one.document, one]))
    for (const document of new Set(found.shown.map(one => one.document)))
      if (!known.has(document) && !isBusy(document)) position = (await write.remove(dir, document)).position

    const there = new Set(found.shown.map(nameOf))
    // What a job is at work on is made anyway.
    const missing = wanted.filter(one => !there.has(nameOf(one)))
    const { lost = [], made = [] } = Object.groupBy(missing, one => (isBusy(one.document) ? 'made' : 'lost'))
    if (made.length > 0)
      log.warn(
        { collection_id: collection, documents: made.map(({ document }) => document) },
        'lost passages that were on disk; a newer version is being made: where that fails, upload the document again',
      )
    const queued = lost.map(({ document, created_by, title, made_from }) => ({
      ...{ id: newId(), document_id: document, user_id: created_by, original: made_from, name: title },
    }))
    transaction(() => {
      for (const job of queued) {
        jobs.insert(job)
        documents.mend(job.document_id, job.id)
      }
      collections.follow(collection, position)
    })
    if (queued.length === 0) return
    log.warn(
      { collection_id: collection, documents: queued.length },
      'a collection had lost passages that were on disk; its documents are made again from their originals',
    )
    offer(queued)
  }

  return collection => {
    const known = looked.get(collection)
    if (known) return known
    const looking = look(collection)
    looked.set(collection, looking)
    // What failed is tried again by whoever asks next.
    looking.catch(() => looked.delete(collection))
    return looking
  }
}

const nameOf = ({ document, version, passages }: Shown) => `${document} ${version} ${passages}`
