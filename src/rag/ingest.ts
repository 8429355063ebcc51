// The pipeline, stage by stage: original → text → passages → vectors → visible. Kill it on any line: run again, it ends with the same
// document searchable once. Stages write nothing that search sees; one publish in the collection's file does, and from the moment that
// is intended the job can only go forward.
import { failure } from '../platform/errors.ts'
import type { Chunk, Place } from './chunk.ts'
import type { Cut } from './embed.ts'
import type { Exclusive } from './exclusive.ts'
import type { Coverage } from './extract/blocks.ts'
import type { Section } from './extract/canonical.ts'
import type { Mend } from './mending.ts'
import type { Ingest, Progress } from './queue.ts'
import type { Catalogue } from './store/catalogue.ts'
import type { Originals } from './store/originals.ts'
import type { JobRow } from './store/tables/jobs.ts'
import type { VersionRow } from './store/tables/versions.ts'
import type { Turns } from './turns.ts'

/** Passages embedded in one turn: short enough that other users' turns come soon, long enough that a commit per turn costs little. */
export const BATCH = 16

export interface Extracted {
  text: string
  sections: Section[]
  media_type: string
  coverage: Coverage
}

/** What the pipeline drives; every one of them works off the main thread. */
export interface Stages {
  /** `user`: whose it is. */
  extract: (file: { path: string; name: string; user: string }, signal: AbortSignal) => Promise<Extracted>
  chunk: (text: string, sections: Section[]) => Promise<Cut[]>
  /** How many tokens the embedding model reads of a passage. */
  window: () => number
  /** Row-major, one unit vector per text. */
  embed: (texts: string[]) => Promise<Float32Array>
  write: {
    appended: (dir: string, document: string, version: string) => Promise<number>
    /** How many of the passages at `places` are there already; nothing when the version is shown in another cut, in `shown` passages. */
    resume: (dir: string, document: string, version: string, places: Place[], shown?: number) => Promise<number | undefined>
    append: (dir: string, document: string, version: string, passages: Chunk[], vectors: Float32Array) => Promise<void>
    /** Gives the position of the collection's file then. */
    publish: (dir: string, document: string, version: string) => Promise<number>
    /** Removes what is not shown of a version. */
    discard: (dir: string, document: string, version: string) => Promise<void>
  }
}

interface Parts {
  catalogue: Catalogue
  originals: Originals
  exclusive: Exclusive
  stages: Stages
  /** Makes good what a collection's file has lost, before anything else is done in it. */
  mend: Mend
  /** Turns at the children that extract, at the thread that cuts and at those that embed. */
  extracting: Turns
  cutting: Turns
  embedding: Turns
  versionsKept: number
}

/** A passage without its words, which stand in the text on disk. */
type Passage = Omit<Chunk, 'content'>
type Report = (progress: Progress) => void

export function openIngest({
  catalogue,
  originals,
  exclusive,
  stages,
  mend,
  extracting,
  cutting,
  embedding,
  versionsKept,
}: Parts) {
  const { collections, documents, versions, holdings, jobs, later } = catalogue

  /** Takes a job to its end. Throws a failure that is the document's own, or whatever went wrong here. */
  const ingest: Ingest = async (job, signal, report) => {
    const collection = documents.byId(job.document_id)?.collection_id
    if (!collection) return
    await mend(collection)
    if (!(await isMade(job, collection))) await make(job, collection, signal, report)
    await show(jobs.byId(job.id) ?? job, collection, report)
  }

  /** Is it past the point of no return? Not when the disk has lost some of its passages since: then it is made again. */
  async function isMade({ id, document_id, version, publishing }: JobRow, collection: string): Promise<boolean> {
    if (!publishing || !version) return false
    const held = await stages.write.appended(originals.directory(collection), document_id, version)
    const isWhole = held === versions.one(document_id, version)?.passages
    if (!isWhole) jobs.unpublish(id)
    return isWhole
  }

  /** Everything before the point of no return: text on disk, passages and vectors appended, none of them visible. */
  async function make(job: JobRow, collection: string, signal: AbortSignal, report: Report) {
    // The turn is kept until the text is on disk: a text may be large, and so only few are in memory.
    const { version, passages, tokens, media_type, coverage } = await extracting(job.user_id, signal, () =>
      read(job, collection, signal),
    )
    const cut = (await embed(job, collection, version, passages, signal, report)) ?? { passages: passages.length, tokens }
    signal.throwIfAborted()
    await later(() => {
      versions.intend({
        document_id: job.document_id,
        version,
        original: job.original,
        media_type,
        coverage: JSON.stringify({ ...coverage, ...cut }),
        passages: cut.passages,
        created_at: Date.now(),
      })
      jobs.publish(job.id)
    })
  }

  /** Puts the text on disk and gives where in it the passages stand, without a word of them. */
  async function read(job: JobRow, collection: string, signal: AbortSignal) {
    const file = { path: originals.original(collection, job.original), name: job.name, user: job.user_id }
    const { text, sections, media_type, coverage } = await stages.extract(file, signal)
    const cuts = await cutting(job.user_id, signal, () => stages.chunk(text, sections))
    if (cuts.length === 0) throw failure('no_text')
    const tokens = counted(cuts)
    const passages = cuts.map(({ content, tokens, ...passage }): Passage => passage)
    await originals.requireRoom()
    const version = await exclusive(collection, async () => {
      const name = await originals.writeText(collection, text)
      try {
        await later(() => jobs.made(job.id, name))
      } finally {
        // It could not be noted, or an earlier attempt read something else.
        await dropTexts(collection, [name, ...(job.version ? [job.version] : [])])
      }
      return name
    })
    return { version, passages, tokens, media_type, coverage }
  }

  /** How many tokens the passages hold. Refuses to go on with one that the model would cut: `truncated_tokens` is 0 in every coverage. */
  function counted(passages: Cut[]) {
    const tokens = { total: 0, largest: 0 }
    for (const { tokens: count } of passages) {
      tokens.total += count
      tokens.largest = Math.max(tokens.largest, count)
    }
    if (tokens.largest > stages.window())
      throw new Error(`A passage of ${tokens.largest} tokens; the model reads ${stages.window()}`)
    return tokens
  }

  /**
   * Embeds batch after batch, each in the user's turn; what an earlier attempt appended is not embedded again. A version that is shown in
   * another cut stays as it is: then gives how that one is cut.
   */
  async function embed(
    job: JobRow,
    collection: string,
    version: string,
    passages: Passage[],
    signal: AbortSignal,
    report: Report,
  ) {
    const dir = originals.directory(collection)
    const total = passages.length
    const places = passages.map(({ start_byte, end_byte }) => ({ start_byte, end_byte }))
    const shown = versions.one(job.document_id, version)
    const before = await stages.write.resume(dir, job.document_id, version, places, shown?.passages)
    if (before === undefined) return cutOf(shown)
    report({ state: 'embedding', done: before, total, failure: null })
    for (let done = before; done < total; done += BATCH) {
      const some = passages.slice(done, done + BATCH)
      const contents = await originals.readText(collection, version, some)
      const vectors = await embedding(job.user_id, signal, () => stages.embed(contents))
      await originals.requireRoom()
      const batch = some.map((passage, i) => ({ ...passage, content: contents[i] ?? '' }))
      await stages.write.append(dir, job.document_id, version, batch, vectors)
      if (done === before && job.attempts > 1) jobs.forgive(job.id)
      report({ state: 'embedding', done: Math.min(done + BATCH, total), total, failure: null })
    }
  }

  /** The flip. The new version appears and the old one goes in one transaction of the collection's file; the catalogue follows. */
  async function show(job: JobRow, collection: string, report: Report) {
    const { document_id, version } = job
    if (!version) throw new Error('A job that publishes has made a text')
    const position = await stages.write.publish(originals.directory(collection), document_id, version)
    const passages = versions.one(document_id, version)?.passages ?? 0
    const let_go = await later(() => {
      versions.keep(document_id, version)
      documents.show(document_id, version)
      collections.follow(collection, position)
      const progress = { state: 'ready', done: passages, total: passages, failure: null } as const
      jobs.advance({ id: job.id, ...progress })
      documents.follow({ id: document_id, job_id: job.id, state: 'ready', failure: null })
      return versions.prune(document_id, version, versionsKept).map(one => one.version)
    })
    await exclusive(collection, () => dropTexts(collection, let_go))
    await release(document_id)
    report({ state: 'ready', done: passages, total: passages, failure: null })
  }

  /** Removes those of these texts that nobody needs any more, while the collection's key is held; what a crash leaves goes at the next start. */
  const dropTexts = (collection: string, names: string[]) =>
    originals.remove(
      collection,
      'texts',
      names.filter(one => !versions.needsText(collection, one)),
    )

  /** Removes the originals a document needs no longer; to be called whenever a job of it has ended. */
  async function release(document: string) {
    const collection = documents.byId(document)?.collection_id
    if (!collection) return
    await exclusive(collection, async () => {
      const spare = holdings.spare(document)
      const files = spare.filter(one => !holdings.isHeld(collection, one, document))
      await originals.remove(collection, 'originals', files)
      if (spare.length > 0) await later(() => holdings.letGo(document, spare))
    })
  }

  /** Removes what a job that is given up left: its text and the passages that were never shown. The original stays for a retry. */
  async function tidy(job: JobRow) {
    const collection = documents.byId(job.document_id)?.collection_id
    if (!collection || !job.version) return
    const { version } = job
    await exclusive(collection, async () => {
      jobs.unmake(job.id)
      await dropTexts(collection, [version])
    })
    await stages.write.discard(originals.directory(collection), job.document_id, version)
  }

  return { ingest, tidy, release }
}

/** How a version is cut, as its coverage tells. */
function cutOf(version: VersionRow | undefined): { passages: number; tokens: object } {
  const { passages, tokens } = JSON.parse(version?.coverage ?? '{}')
  return { passages, tokens }
}
