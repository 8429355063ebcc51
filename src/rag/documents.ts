// Documents and jobs as their readers see them: rows turned into what the contract says, for whoever may see them and nobody else.
import { failure } from '../platform/errors.ts'
import type { Collections } from './collections.ts'
import type { Queue } from './queue.ts'
import type { Catalogue } from './store/catalogue.ts'
import type { Originals } from './store/originals.ts'
import { id as newId } from './store/tables/collections.ts'
import type { DocumentRow, DocumentState } from './store/tables/documents.ts'
import type { JobRow } from './store/tables/jobs.ts'
import type { VersionRow } from './store/tables/versions.ts'
import type { Entry } from './uploads.ts'

interface Parts {
  catalogue: Catalogue
  collections: Collections
  originals: Originals
  queue: Queue
}

interface Filter {
  state?: DocumentState
  collection_id?: string
  name?: string
  cursor?: string
  limit: number
}

/** A file to be read: its path, the strong name of its bytes, what they are and what they are called. */
export interface Readable {
  path: string
  etag: string
  media_type: string
  title: string
}

export function openDocuments({ catalogue, collections, originals, queue }: Parts) {
  const { documents, versions, jobs, transaction } = catalogue

  /** A version of a document that can be read: the one named, else the visible one. */
  function readableVersion(document: DocumentRow, named?: string): VersionRow {
    const version = named ?? document.version
    if (!version) {
      throw failure(
        'conflict',
        `The document has no text yet: it is ${document.state === 'failed' ? 'failed' : 'still being read'}`,
      )
    }
    const row = versions.one(document.id, version)
    if (!row) throw failure('not_found')
    if (row.state === 'gone') throw failure('gone')
    return row
  }

  function ownJob(user: string, id: string): JobRow {
    const job = jobs.byId(id)
    if (!job || job.user_id !== user) throw failure('not_found')
    collections.readableDocument(user, job.document_id)
    return job
  }

  return {
    list(user: string, { cursor, limit, collection_id, state, name }: Filter) {
      const readable = collection_id ? [collections.readable(user, collection_id)] : catalogue.collections.allVisible(user, -1)
      const rows = documents.list({
        collections: JSON.stringify(readable.map(({ id }) => id)),
        state: state ?? null,
        name: name ?? null,
        after: cursor ?? null,
        limit: limit + 1,
      })
      const page = rows.slice(0, limit)
      return {
        documents: page.map(row => summary(row, row.version ? versions.one(row.id, row.version) : undefined)),
        next_cursor: rows.length > limit ? (page.at(-1)?.id ?? null) : null,
      }
    },

    one(user: string, id: string) {
      const row = collections.readableDocument(user, id)
      const kept = versions.kept(id)
      const visible = kept.find(({ version }) => version === row.version)
      return {
        ...summary(row, visible),
        ...(visible && { coverage: JSON.parse(visible.coverage) }),
        versions: kept.map(one => ({
          version: one.version,
          visible: one === visible,
          media_type: one.media_type,
          passages: one.passages,
          coverage: JSON.parse(one.coverage),
          created_at: time(one.created_at),
        })),
      }
    },

    /** The canonical text of a version. Throws `not_found`, `conflict` before there is one, `gone` when it is kept no longer. */
    text(user: string, id: string, version?: string): Readable {
      const document = collections.readableDocument(user, id)
      const row = readableVersion(document, version)
      const path = originals.text(document.collection_id, row.version)
      return { path, etag: row.version, media_type: 'text/plain; charset=utf-8', title: document.title }
    },

    /** The original bytes: of a version, else those last accepted. */
    content(user: string, id: string, version?: string): Readable {
      const document = collections.readableDocument(user, id)
      const row = version || document.version ? readableVersion(document, version) : undefined
      const original = version ? (row?.original ?? document.original) : document.original
      const media_type = row?.original === original ? row.media_type : 'application/octet-stream'
      return { path: originals.original(document.collection_id, original), etag: original, media_type, title: document.title }
    },

    /** Tries a failed document again, from the bytes last accepted. Throws `conflict` when it has not failed. */
    retry(user: string, id: string): Entry {
      const document = collections.writableDocument(user, id)
      if (document.state !== 'failed') throw failure('conflict', `The document has not failed: it is ${document.state}`)
      queue.room(user, 1)
      const job = { id: newId(), document_id: id, user_id: user, original: document.original, name: document.title }
      transaction(() => {
        const { original, bytes, source, metadata } = document
        documents.renew({ id, original, bytes, source, metadata, job_id: job.id })
        jobs.insert(job)
      })
      queue.offer([job])
      return { id, job_id: job.id, state: 'queued', title: document.title }
    },

    job(user: string, id: string) {
      const job = ownJob(user, id)
      return jobView({ ...job, ...queue.progress(id) })
    },

    /** Calls `listener` with the job at every step until the returned function is called. */
    watch(user: string, id: string, listener: (job: JobView) => void): () => void {
      const job = ownJob(user, id)
      return queue.watch(id, progress => listener(jobView({ ...job, ...progress, updated_at: Date.now() })))
    },

    /** Gives a job up. Throws `conflict` when it has ended or is just being made visible. */
    async cancel(user: string, id: string): Promise<void> {
      const job = ownJob(user, id)
      collections.writableDocument(user, job.document_id)
      if (!(await queue.cancel(job))) throw failure('conflict', 'The job has ended already')
    },
  }
}

export type JobView = ReturnType<typeof jobView>

function jobView({ id, document_id, state, done, total, attempts, failure, created_at, updated_at }: JobRow) {
  return {
    id,
    document_id,
    state,
    stage: state,
    done,
    total,
    attempts,
    ...(failure && { failure: JSON.parse(failure) }),
    created_at: time(created_at),
    updated_at: time(updated_at),
  }
}

function summary(row: DocumentRow, visible: VersionRow | undefined) {
  const { id, collection_id, title, source, state, version, bytes, job_id } = row
  return {
    id,
    collection_id,
    title,
    source,
    metadata: JSON.parse(row.metadata),
    state,
    ...(row.failure && { failure: JSON.parse(row.failure) }),
    version,
    media_type: visible?.media_type ?? null,
    passages: visible?.passages ?? 0,
    bytes,
    job_id,
    created_at: time(row.created_at),
    updated_at: time(row.updated_at),
  }
}

function time(ms: number): string {
  return new Date(ms).toISOString()
}
