// Taking documents in: which of the files that arrived is a new document, a new version of one, or one that is there already. Bytes,
// rows and jobs are on disk when `take` returns, so that a 202 may be said; what is refused leaves nothing.
import { createHash } from 'node:crypto'
import type { FailureCode } from '../contracts/failure.ts'
import { type Failure, failure } from '../platform/errors.ts'
import { type Arrival, type Arrivals, discard, type Wishes } from './arrivals.ts'
import type { Collections } from './collections.ts'
import type { Exclusive } from './exclusive.ts'
import type { Answer, Idempotency } from './idempotency.ts'
import { TITLE_CHARS_MAX } from './schemas.ts'
import type { Catalogue } from './store/catalogue.ts'
import type { Originals, Spooled } from './store/originals.ts'
import { id } from './store/tables/collections.ts'
import type { DocumentState } from './store/tables/documents.ts'

export type Entry = { id: string; job_id: string; state: DocumentState; title: string }
type Refusal = { title: string; failure: { code: FailureCode; message: string } }
export interface Uploaded {
  documents: (Entry | Refusal)[]
}

/** The documents of an upload that were not refused. */
export const accepted = ({ documents }: Uploaded): Entry[] => documents.filter(one => 'job_id' in one)

/** A job as the queue knows it. */
export interface Queued {
  id: string
  document_id: string
  user_id: string
}

interface Parts {
  catalogue: Catalogue
  collections: Collections
  originals: Originals
  exclusive: Exclusive
  idempotency: Idempotency
  userBytesMax: number
  queue: { room: (user: string, count: number) => void; offer: (jobs: Queued[]) => void }
}

const ROUTE = 'POST /documents'

export function openUploads({ catalogue, collections, originals, exclusive, idempotency, userBytesMax, queue }: Parts) {
  const { documents, holdings, jobs, later } = catalogue

  /**
   * Takes in what `receive` brings and tells one entry per file, in order: 202 when a job was made, 200 when all were there already.
   * Throws the first file's failure when none was accepted, `invalid_request` for equal names, `storage_full` over the owner's space,
   * `unavailable` when the queue is full, `conflict` as `Idempotency-Key` demands, `unauthenticated` when the user is no longer `alive`
   * once all has arrived.
   */
  async function take(
    user: string,
    key: string | undefined,
    receive: () => Promise<Arrivals>,
    alive: () => Promise<boolean>,
  ): Promise<Answer<Uploaded>> {
    return idempotency<Uploaded>(user, ROUTE, key, async claim => {
      const { wishes, arrivals } = await receive()
      try {
        refuseEqualNames(arrivals)
        const print = fingerprint(wishes, arrivals)
        return claim.before(print) ?? (await accept(user, wishes, arrivals, alive, answer => claim.record(print, answer)))
      } finally {
        await discard(arrivals, originals)
      }
    })
  }

  async function accept(
    user: string,
    wishes: Wishes,
    arrivals: Arrival[],
    alive: () => Promise<boolean>,
    record: (answer: Answer<Uploaded>) => void,
  ) {
    const demandAlive = async () => {
      if (!(await alive())) throw failure('unauthenticated')
    }
    await demandAlive()
    const find = () => (wishes.collection_id ? collections.writable(user, wishes.collection_id) : collections.home(user))
    const { id: collection } = find()
    return exclusive(collection, async () => {
      // Asked again: while waiting for the turn the collection may have gone, or the grant.
      const { owner } = find()
      // Whoever is deleted after this finds what comes of it among what she owns, and takes it along.
      await demandAlive()
      const plans = arrivals.map(arrival => judge(arrival, collection, wishes))
      if (plans.every(({ failure }) => failure)) throw together(plans)
      const fresh = plans.flatMap(({ file }) => (file && !documents.byOriginal(collection, file.sha256) ? [file] : []))
      if (fresh.length > 0) requireRoom(user, owner, fresh)

      const queued: Queued[] = []
      try {
        if (fresh.length > 0) await originals.keep(collection, fresh)
        const answer = await later(() => {
          const entries = plans.map(plan => enter(user, collection, wishes, plan, queued))
          const made = { status: queued.length > 0 ? 202 : 200, reply: { documents: entries } }
          record(made)
          return made
        })
        queue.offer(queued)
        return answer
      } finally {
        // Whatever went wrong, no file stays that no row names.
        const names = fresh.map(({ sha256 }) => sha256).filter(one => !holdings.isHeld(collection, one))
        await originals.remove(collection, 'originals', names)
      }
    })
  }

  /** Decides, before anything is written, whether an arrival is refused. */
  function judge(arrival: Arrival, collection: string, { on_same_name, source }: Wishes): Arrival {
    const { file, title } = arrival
    if (!file) return arrival
    if (file.bytes === 0) return { title, failure: failure('no_text', 'The file is empty') }
    if (title.length > TITLE_CHARS_MAX)
      return { title, failure: failure('invalid_request', `A name is at most ${TITLE_CHARS_MAX} characters`) }
    if (documents.byOriginal(collection, file.sha256)) return arrival
    if (on_same_name === 'refuse' && documents.byName(collection, title, source ?? null)) {
      return { title, failure: failure('conflict', 'The collection holds another document of that name') }
    }
    return arrival
  }

  /** Refuses bytes that are new when there is no room for them or for their jobs. */
  function requireRoom(user: string, owner: string, fresh: readonly Spooled[]) {
    queue.room(user, fresh.length)
    const bytes = fresh.reduce((sum, file) => sum + file.bytes, catalogue.collections.bytesOf(owner))
    if (bytes > userBytesMax) {
      throw failure('storage_full', `The owner of this collection may store ${userBytesMax} bytes; delete something first`)
    }
  }

  function enter(user: string, collection_id: string, wishes: Wishes, plan: Arrival, queued: Queued[]): Entry | Refusal {
    const { title, file } = plan
    if (!file) return { title, failure: told(plan.failure ?? failure('internal')) }
    // Looked up now: an earlier part of the same request may have brought the same bytes.
    const same = documents.byOriginal(collection_id, file.sha256)
    if (same) return { id: same.id, job_id: same.job_id, state: same.state, title: same.title }

    const { source = null, metadata = {}, on_same_name } = wishes
    const replaced = on_same_name === 'replace' ? documents.byName(collection_id, title, source) : undefined
    const document_id = replaced?.id ?? id()
    const job = { id: id(), document_id, user_id: user, original: file.sha256, name: title }
    const now = Date.now()
    const fresh = {
      id: document_id,
      original: file.sha256,
      bytes: file.bytes,
      job_id: job.id,
      source,
      metadata: JSON.stringify(metadata),
    }
    if (replaced) documents.renew(fresh)
    else
      documents.insert({
        ...fresh,
        collection_id,
        title,
        state: 'queued',
        failure: null,
        version: null,
        created_by: user,
        created_at: now,
        updated_at: now,
      })
    holdings.hold({ document_id, original: file.sha256, collection_id, bytes: file.bytes })
    jobs.insert(job)
    queued.push(job)
    return { id: document_id, job_id: job.id, state: 'queued', title }
  }

  return { take }
}

function refuseEqualNames(arrivals: readonly Arrival[]) {
  const titles = arrivals.map(({ title }) => title)
  const twice = titles.find((title, at) => titles.indexOf(title) !== at)
  if (twice !== undefined)
    throw failure('invalid_request', `Two files in this request are called "${twice}"; send them with different names`)
}

/** SHA-256 over everything the request said. */
function fingerprint(wishes: Wishes, arrivals: readonly Arrival[]): string {
  const said = [wishes, arrivals.map(({ title, file, failure }) => [title, file?.sha256 ?? failure?.code])]
  return createHash('sha256').update(JSON.stringify(said)).digest('hex')
}

/** Nothing was accepted: the first failure, with a line for each. */
function together(plans: readonly Arrival[]): Failure {
  const refused = plans.flatMap(({ title, failure }) => (failure ? [{ title, failure }] : []))
  const first = refused[0]?.failure ?? failure('internal')
  const details = refused.map(({ title, failure: { message } }) => ({ path: title, problem: message }))
  return failure(first.code, first.message, { ...first.extras, details })
}

function told({ code, message }: Failure) {
  return { code, message }
}
