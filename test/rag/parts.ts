// Rag's parts without its service, on a real disk, with stages that take no model: for tests of what happens between the stages.
import { mkdtemp, readFile, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import type { Test } from 'tap'
import { receiveText, type Wishes } from '../../src/rag/arrivals.ts'
import type { Place } from '../../src/rag/chunk.ts'
import { openCollections } from '../../src/rag/collections.ts'
import { type JobView, openDocuments } from '../../src/rag/documents.ts'
import { openErasures } from '../../src/rag/erasures.ts'
import { openExclusive } from '../../src/rag/exclusive.ts'
import { openIdempotency } from '../../src/rag/idempotency.ts'
import { type Extracted, openIngest, type Stages } from '../../src/rag/ingest.ts'
import { openMending } from '../../src/rag/mending.ts'
import { openQueue } from '../../src/rag/queue.ts'
import { openCatalogue } from '../../src/rag/store/catalogue.ts'
import { type CollectionFile, openCollection } from '../../src/rag/store/collection.ts'
import { openOriginals } from '../../src/rag/store/originals.ts'
import { sweep } from '../../src/rag/sweep.ts'
import { openTurns } from '../../src/rag/turns.ts'
import { openUploads } from '../../src/rag/uploads.ts'

/** What a collection's file would hold: passages by document and version, and which version is shown. */
export type Shelf = Map<string, { passages: Map<string, string[]>; shown?: string }>

type Writers = Parameters<typeof openMending>[0] & Parameters<typeof openErasures>[0] & Parameters<typeof sweep>[0]
type PlainStages = Stages & Pick<Writers, 'write'>

/** Stages that read a text, cut it at line ends and keep the passages in `shelf`. */
export function plainStages(shelf: Shelf): PlainStages {
  let position = 0
  const held = (document: string) => {
    const known = shelf.get(document) ?? { passages: new Map<string, string[]>() }
    shelf.set(document, known)
    return known
  }
  return {
    async extract({ path }): Promise<Extracted> {
      return {
        text: (await readFile(path, 'utf8')).trimEnd(),
        sections: [],
        media_type: 'text/plain',
        coverage: { bytes_skipped: 0, tables: 0, truncated_tokens: 0 },
      }
    },
    async chunk(text) {
      let end_byte = -1
      const lines = text.split('\n').map(content => {
        const start_byte = end_byte + 1
        end_byte = start_byte + Buffer.byteLength(content)
        return { content, start_byte, end_byte, tokens: content.split(' ').length }
      })
      return lines.filter(({ content }) => content)
    },
    window: () => 10,
    embed: async texts => new Float32Array(texts.length),
    write: {
      appended: async (_dir, document, version) => held(document).passages.get(version)?.length ?? 0,
      async resume(_dir, document, version, places) {
        const { passages, shown } = held(document)
        const there = passages.get(version) ?? []
        const isThere = ({ start_byte, end_byte }: Place, i: number) =>
          Buffer.byteLength(there[i] ?? '') === end_byte - start_byte
        if (places.slice(0, there.length).every(isThere)) return there.length
        if (shown === version) return undefined
        passages.delete(version)
        return 0
      },
      async append(_dir, document, version, passages) {
        held(document).passages.set(version, [
          ...(held(document).passages.get(version) ?? []),
          ...passages.map(({ content }) => content),
        ])
      },
      async publish(_dir, document, version) {
        const of = held(document)
        of.shown = version
        for (const other of of.passages.keys()) if (other !== version) of.passages.delete(other)
        return ++position
      },
      audit: async () => undefined,
      discard: async (_dir, document, version) =>
        void (version === held(document).shown || held(document).passages.delete(version)),
      async sweep(_dir, keep) {
        let gone = 0
        for (const [document, { passages, shown }] of shelf) {
          for (const version of passages.keys()) {
            const kept = version === shown || keep.some(one => one.document_id === document && one.version === version)
            if (!kept && passages.delete(version)) gone++
          }
        }
        return gone
      },
      async remove(_dir, document) {
        const passages = [...(shelf.get(document)?.passages.values() ?? [])].reduce((sum, list) => sum + list.length, 0)
        shelf.delete(document)
        return { passages, position: ++position }
      },
      close: async () => {},
    },
  }
}

/** Writes to real collection files. */
export function realFiles(t: Test) {
  const files = new Map<string, CollectionFile>()
  const close = async (dir: string) => {
    files.get(dir)?.close()
    files.delete(dir)
  }
  const closeAll = async () => void (await Promise.all([...files.keys()].map(close)))
  t.teardown(closeAll)
  const of = (dir: string) => {
    const file = files.get(dir) ?? openCollection(dir, 'm')
    files.set(dir, file)
    return file
  }
  return {
    of,
    closeAll,
    write: {
      close,
      appended: async (dir: string, document: string, version: string) => of(dir).appended(document, version),
      resume: async (dir: string, ...rest: Parameters<CollectionFile['resume']>) => of(dir).resume(...rest),
      append: async (dir: string, ...rest: Parameters<CollectionFile['append']>) => of(dir).append(...rest),
      publish: async (dir: string, document: string, version: string) => of(dir).publish(document, version),
      remove: async (dir: string, document: string) => of(dir).remove(document),
      discard: async (dir: string, document: string, version: string) => of(dir).discard(document, version),
      sweep: async (dir: string, keep: { document_id: string; version: string }[]) => of(dir).sweep(keep),
      audit: async (dir: string, position: number) => of(dir).audit(position),
    },
  }
}

interface Options {
  stages?: Partial<Omit<PlainStages, 'write'>> & { write?: Partial<PlainStages['write']> }
  waitingMax?: number
  userBytesMax?: number
  versionsKept?: number
  /** Takes the place of Redis. */
  announce?: () => Promise<string>
  log?: Parameters<typeof openQueue>[0]['log']
}

/** Opens rag's parts on `dataDir`, sweeps and takes up work like a start does. `stop` leaves like a process that ends. */
export async function openParts(dataDir: string, shelf: Shelf, options: Options = {}) {
  const log = options.log ?? { error: () => {}, info: () => {} }
  const catalogue = openCatalogue(dataDir)
  const originals = await openOriginals(dataDir, 0)
  const plain = plainStages(shelf)
  const stages = { ...plain, ...options.stages, write: { ...plain.write, ...options.stages?.write } }
  const exclusive = openExclusive()
  const mend = openMending({
    catalogue,
    directory: originals.directory,
    write: stages.write,
    offer: jobs => queue.offer(jobs),
    log: { warn: () => {} },
  })
  const collections = openCollections(catalogue)
  const { versionsKept = 2, waitingMax = 100, userBytesMax = 2000 } = options
  const { ingest, tidy, release } = openIngest({
    catalogue,
    originals,
    exclusive,
    stages,
    extracting: openTurns(2),
    cutting: openTurns(2),
    embedding: openTurns(2),
    mend,
    versionsKept,
  })
  const queue = openQueue({ catalogue, ingest, tidy, release, waitingMax, log })
  await sweep({ catalogue, originals, exclusive, write: stages.write, mend, log })
  const announced: object[] = []
  const stream = {
    async announce(erasure: object) {
      const entry = (await options.announce?.()) ?? '1-0'
      announced.push(erasure)
      return entry
    },
    behind: async () => ['agent'],
  }
  const erasures = openErasures({ catalogue, originals, exclusive, queue, mend, write: stages.write, stream, log })
  const uploads = openUploads({
    catalogue,
    collections,
    originals,
    exclusive,
    idempotency: openIdempotency(catalogue),
    queue,
    userBytesMax,
  })
  const documents = openDocuments({ catalogue, collections, originals, queue })
  const resumed = erasures.resume()
  queue.resume()

  const limits = { fileBytesMax: 1000, uploadBytesMax: 1500 }
  return {
    catalogue,
    originals,
    exclusive,
    collections,
    queue,
    erasures,
    uploads,
    documents,
    announced,
    limits,
    resumed,
    /** Uploads a text as a user and gives what was answered for it. */
    async upload(
      user: string,
      title: string,
      text: string,
      wishes: Pick<Partial<Wishes>, 'on_same_name' | 'collection_id'> & { key?: string; alive?: () => Promise<boolean> } = {},
    ) {
      const { key, alive = async () => true, ...rest } = wishes
      const receive = () => receiveText({ title, text, on_same_name: 'replace', ...rest }, originals, limits)
      const { status, reply } = await uploads.take(user, key, receive, alive)
      const [entry] = reply.documents
      if (!entry || !('id' in entry)) throw new Error('refused')
      return { status, ...entry }
    },
    /** Waits until a job has ended; gives how. */
    ended(user: string, job: string) {
      return new Promise<JobView>(resolve => {
        const look = (view: JobView) => {
          if (view.state !== 'ready' && view.state !== 'failed') return
          forget()
          resolve(view)
        }
        const forget = documents.watch(user, job, look)
        look(documents.job(user, job))
      })
    },
    async stop() {
      await queue.close()
      await erasures.close()
      catalogue.close()
    },
  }
}

/** A data folder that is gone with the test. */
export async function dataFolder(t: Test): Promise<string> {
  const path = await mkdtemp(join(tmpdir(), 'rag-'))
  t.teardown(() => rm(path, { recursive: true }))
  return path
}

/** Parts on a folder of their own, gone with the test. */
export async function partsFor(t: Test, options: Options = {}) {
  const shelf: Shelf = new Map()
  const parts = await openParts(await dataFolder(t), shelf, options)
  t.teardown(() => parts.stop())
  return { shelf, ...parts }
}
