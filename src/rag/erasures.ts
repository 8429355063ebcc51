// Erasing: a document leaves every place that holds it, in an order that survives dying on any line. First it is marked, durably, and is
// there for nobody; then passages, vectors and files go; then its row; then the stream of erasures tells whoever holds a copy elsewhere.
// The receipt says `pending` until all of them have said that they followed.
import { failure } from '../platform/errors.ts'
import type { Exclusive } from './exclusive.ts'
import type { Mend } from './mending.ts'
import { aMoment } from './moment.ts'
import type { Queue } from './queue.ts'
import type { Catalogue } from './store/catalogue.ts'
import type { Originals } from './store/originals.ts'
import { id } from './store/tables/collections.ts'
import type { ErasureRow } from './store/tables/erasures.ts'

interface Counts {
  passages: number
  versions: number
  texts: number
  originals: number
  jobs: number
}

export interface Receipt {
  receipt_id: string
  document_id: string
  erased: Counts
  /** True until every holder of a copy has confirmed. */
  pending: boolean
  /** Who has not confirmed yet. */
  waiting_for: string[]
  erased_at: string
}

interface Parts {
  catalogue: Catalogue
  originals: Originals
  exclusive: Exclusive
  queue: Queue
  mend: Mend
  write: {
    /** Removes a document's passages from a collection's file. */
    remove: (dir: string, document: string) => Promise<{ passages: number; position: number }>
    /** Closes a collection's files before its folder goes. */
    close: (dir: string) => Promise<void>
  }
  stream: {
    /** Appends to the stream of erasures; gives the entry's id. */
    announce: (erasure: { user: string; document: string; versions: string[] }) => Promise<string>
    /** Who holds copies and has not yet read as far as `entry`. */
    behind: (entry: string) => Promise<string[]>
  }
  log: { error: (context: object, message: string) => void }
}

/** Pause before what could not be finished is tried again, in milliseconds. */
const AGAIN_MS = 5000

export function openErasures({ catalogue, originals, exclusive, queue, mend, write, stream, log }: Parts) {
  const { collections, documents, versions, holdings, jobs, erasures, later: durably } = catalogue
  let timer: NodeJS.Timeout | undefined
  let isClosed = false
  const underWay = new Set<Promise<void>>()

  /** Marks a document: from here on the erasure happens, whatever becomes of this process. */
  async function intend(user: string, document_id: string): Promise<ErasureRow> {
    const receipt = id()
    await durably(() => {
      const document = documents.byId(document_id)
      if (!document) throw failure('not_found')
      const names = versions.of(document_id).map(({ version }) => version)
      const { collection_id } = document
      erasures.insert({ id: receipt, user_id: user, collection_id, document_id, versions: JSON.stringify(names) })
      documents.markErasing(document_id)
    })
    return found(receipt)
  }

  /** Takes an erasure as far as it goes; each step can be repeated, and nobody repeats one while it is under way. */
  const follow = (receipt: string) =>
    exclusive(`erasure ${receipt}`, async () => {
      if (found(receipt).stage === 'removing') await removeDocument(found(receipt))
      const { stage, user_id, document_id, versions: names } = found(receipt)
      if (stage !== 'announcing') return
      const entry = await stream.announce({ user: user_id, document: document_id, versions: JSON.parse(names) })
      await durably(() => erasures.announced(receipt, entry))
    })

  async function removeDocument({ id: receipt, collection_id, document_id }: ErasureRow) {
    await queue.stop(document_id)
    // With the collection going as a whole, passages and files go with its folder.
    const whole = collections.erasing().includes(collection_id)
    if (!whole) await mend(collection_id)
    const gone = whole ? undefined : await write.remove(originals.directory(collection_id), document_id)
    await exclusive(collection_id, async () => {
      const texts = whole ? [] : versions.textsOf(document_id).filter(one => !versions.needsText(collection_id, one))
      const files = whole ? [] : holdings.of(document_id).filter(one => !holdings.isHeld(collection_id, one, document_id))
      const counts: Counts = {
        passages: gone?.passages ?? 0,
        versions: versions.of(document_id).filter(({ state }) => state !== 'gone').length,
        texts: await originals.remove(collection_id, 'texts', texts),
        originals: await originals.remove(collection_id, 'originals', files),
        jobs: jobs.countOf(document_id),
      }
      await durably(() => {
        documents.remove(document_id)
        if (gone) collections.follow(collection_id, gone.position)
        erasures.removed(receipt, JSON.stringify(counts))
      })
    })
  }

  /** Takes a collection that is marked to its end: every document by itself, then the folder. */
  async function followCollection(collection: string, owner: string) {
    for (let some = documents.someOf(collection); some.length > 0; some = documents.someOf(collection)) {
      for (const { id } of some) {
        if (isClosed) return
        const erasure = await intend(owner, id)
        await follow(erasure.id)
      }
    }
    // What was being erased by itself comes first.
    for (const { id } of erasures.unfinished().filter(one => one.collection_id === collection)) {
      if (isClosed) return
      await follow(id)
    }
    if (documents.holds(collection)) throw new Error('The collection has documents left')
    await exclusive(collection, async () => {
      await write.close(originals.directory(collection))
      await originals.removeCollection(collection)
      collections.remove(collection)
    })
  }

  async function receiptOf({ id: receipt_id, document_id, counts, entry, created_at }: ErasureRow): Promise<Receipt> {
    const waiting_for = entry ? await stream.behind(entry) : ['rag']
    return {
      receipt_id,
      document_id,
      erased: { passages: 0, versions: 0, texts: 0, originals: 0, jobs: 0, ...JSON.parse(counts) },
      pending: waiting_for.length > 0,
      waiting_for,
      erased_at: new Date(created_at).toISOString(),
    }
  }

  function found(receipt: string): ErasureRow {
    const row = erasures.byId(receipt)
    if (!row) throw failure('not_found')
    return row
  }

  /** Finishes everything that was begun, one after the other; what still fails is tried again later. */
  async function finish() {
    for (const { id, document_id } of erasures.unfinished()) {
      if (isClosed) return
      await attempt(() => follow(id), { document_id })
    }
    if (isClosed) return
    for (const id of collections.erasing()) {
      if (isClosed) return
      await attempt(() => followCollection(id, collections.ownerOf(id)), { collection_id: id })
    }
  }

  /** Does `work` to its end, whoever waits for it; what fails is tried again later. */
  function attempt(work: () => Promise<void>, what: object): Promise<void> {
    const one = work()
      .catch(error => {
        log.error({ err: error, ...what }, 'an erasure will be tried again')
        later()
      })
      .finally(() => underWay.delete(one))
    underWay.add(one)
    return one
  }

  function later() {
    if (isClosed) return
    timer ??= setTimeout(() => {
      timer = undefined
      attempt(finish, {})
    }, AGAIN_MS).unref()
  }

  const self = {
    /** Erases a document. What could not be finished at once is said by `pending` and goes on by itself. */
    async document(user: string, collection: string, document: string): Promise<Receipt> {
      const erasure = await exclusive(collection, () => intend(user, document))
      await aMoment(attempt(() => follow(erasure.id), { document_id: document }))
      return receiptOf(found(erasure.id))
    },

    /** Erases a collection with all its documents; what takes longer than a moment goes on by itself and is `pending`. */
    async collection(collection: string): Promise<{ documents: number; pending: boolean }> {
      const count = await exclusive(collection, async () => {
        await durably(() => collections.markErasing(collection))
        return collections.documentsIn(collection)
      })
      const owner = collections.ownerOf(collection)
      await aMoment(attempt(() => followCollection(collection, owner), { collection_id: collection }))
      return { documents: count, pending: collections.erasing().includes(collection) }
    },

    /** Erases a document that was erased before, if a snapshot has brought it back. */
    async again(document: string) {
      const row = documents.byId(document)
      if (!row || erasures.unfinished().some(one => one.document_id === document)) return
      await self.document(collections.ownerOf(row.collection_id), row.collection_id, document)
    },

    /** Erases everything that is a user's: her collections with what is in them, her grants, her answered requests, her receipts. */
    async user(user: string) {
      for (const { id } of collections.owned(user)) await self.collection(id)
      collections.revokeAll(user)
      catalogue.idempotency.forget(user)
      catalogue.evaluations.forget(user)
      erasures.forget(user)
    },

    /** The receipt again, with who is still behind. Throws `not_found` for somebody else's. */
    async receipt(user: string, receipt: string): Promise<Receipt> {
      const row = found(receipt)
      if (row.user_id !== user) throw failure('not_found')
      return receiptOf(row)
    },

    /** Takes up what an earlier process left unfinished. */
    resume: () => attempt(finish, {}),

    /** Waits for what is under way; what has not begun is left to the next start. */
    async close() {
      isClosed = true
      clearTimeout(timer)
      await Promise.all(underWay)
    },
  }
  return self
}
