// Rag assembled: what it opens, in which order, which routes it serves, and how it closes.
import { mkdirSync } from 'node:fs'
import { basename } from 'node:path'
import multipart from '@fastify/multipart'
import { remoteKeys } from '../platform/keys.ts'
import type { App, Service } from '../platform/service.ts'
import { openCollections } from './collections.ts'
import type { RagConfig } from './config.ts'
import { openCourtesy } from './courtesy.ts'
import { openDocuments } from './documents.ts'
import { openEmbeddings } from './embeddings.ts'
import { openErasureStream } from './erasure-stream.ts'
import { openErasures } from './erasures.ts'
import { openEvaluations } from './evaluations.ts'
import { openExclusive } from './exclusive.ts'
import { openReaders } from './extract/run.ts'
import { openFinding } from './finding.ts'
import { openIdempotency } from './idempotency.ts'
import { openIndexes } from './indexes.ts'
import { openIngest } from './ingest.ts'
import { openLanes } from './lanes.ts'
import { openMending } from './mending.ts'
import { openQueue } from './queue.ts'
import { openReindex } from './reindex.ts'
import { adminRoutes } from './routes/admin.ts'
import { byteRoutes } from './routes/bytes.ts'
import { collectionRoutes } from './routes/collections.ts'
import { documentRoutes } from './routes/documents.ts'
import { embeddingRoutes } from './routes/embeddings.ts'
import { evaluationRoutes } from './routes/evaluations.ts'
import { ingestRoutes } from './routes/ingest.ts'
import { jobRoutes } from './routes/jobs.ts'
import { olderRoutes } from './routes/older.ts'
import { searchRoutes } from './routes/search.ts'
import { statusRoutes } from './routes/status.ts'
import { search } from './search.ts'
import { openSnapshots } from './snapshots.ts'
import { openCatalogue } from './store/catalogue.ts'
import { lockFolder } from './store/lock.ts'
import { openOriginals } from './store/originals.ts'
import { sweep } from './sweep.ts'
import { openTurns } from './turns.ts'
import { openUploads } from './uploads.ts'

/** Questions that are searched for at once; each may be asked of fifty collections, for which the lanes have room. */
const SEARCHES_AT_ONCE = 8
/** Children that extract at once; each may take a core. */
const EXTRACT_AT_ONCE = 2
/** Bounds of a form: files, other fields, bytes of one field. */
const FILES_MAX = 100
const FIELDS_MAX = 10
const FIELD_BYTES_MAX = 64 * 1024

const everything = [
  documentRoutes,
  byteRoutes,
  jobRoutes,
  collectionRoutes,
  searchRoutes,
  olderRoutes,
  ingestRoutes,
  embeddingRoutes,
  evaluationRoutes,
  adminRoutes,
  statusRoutes,
]

/** Everything rag's routes work with. */
export type House = Awaited<ReturnType<typeof openHouse>>

/** The rag service. */
export function ragService(config: RagConfig): Service {
  return {
    name: 'rag',
    config,
    keys: () => remoteKeys(config.AUTH_SERVICE_URL, config.JWKS_CACHE_S),
    async plugin(app) {
      await app.register(multipart, {
        preservePath: true,
        throwFileSizeLimit: false,
        limits: {
          files: FILES_MAX,
          fields: FIELDS_MAX,
          parts: FILES_MAX + FIELDS_MAX,
          fieldSize: FIELD_BYTES_MAX,
          fileSize: Infinity,
        },
      })
      const house = await openHouse(app, config)
      for (const routes of everything) {
        await app.register(routes, house)
      }
    },
  }
}

/** Opens the parts, takes up the work of an earlier process, and sweeps what it left. Whatever is opened is closed with the app. */
async function openHouse(app: App, config: RagConfig) {
  const { log, redis } = app
  const dataDir = config.RAG_DATA_DIR
  mkdirSync(dataDir, { recursive: true, mode: 0o700 })
  const lock = lockFolder(dataDir)
  app.addHook('onClose', async () => lock.release())
  const catalogue = openCatalogue(dataDir)
  app.addHook('onClose', async () => catalogue.close())
  catalogue.undurable(cause => app.giveUp(new Error('The disk did not write; mend it and start again', { cause })))
  const originals = await openOriginals(dataDir, config.RAG_FREE_BYTES_MIN)
  // Once the model was changed, the catalogue says which one serves.
  const { model = config.RAG_EMBEDDING_MODEL, beside, stage } = catalogue.serving.row() ?? {}
  if (model !== config.RAG_EMBEDDING_MODEL)
    log.warn({ model }, 'POST /admin/reindex made another model serve than the configured one')
  const { question, giveWay, asking } = openCourtesy()
  const lanes = await openLanes({
    modelsDir: config.RAG_MODELS_DIR,
    model,
    asking,
    beside: stage === 'finishing' ? undefined : (beside ?? undefined),
    embedThreads: config.RAG_EMBED_THREADS,
    chunkTokens: config.RAG_CHUNK_SIZE,
    chunkOverlap: config.RAG_CHUNK_OVERLAP,
    strays: (dir, documents) =>
      log.error({ collection_id: basename(dir), documents }, 'left out of a search: their texts are damaged; upload them again'),
    unbuilt: (dir, error) =>
      log.error({ collection_id: basename(dir), err: error }, 'no index could be made: its searches compare with every passage'),
  })
  app.addHook('onClose', async () => lanes.close())
  catalogue.checkpointed(() =>
    lanes.checkpoint(catalogue.file).catch(error => log.error({ err: error }, 'the log stays for now')),
  )
  const exclusive = openExclusive()
  const collections = openCollections(catalogue)
  // One batch more than there are threads, so that none waits for the next to be handed over.
  const embedding = openTurns(config.RAG_EMBED_THREADS + 1, giveWay)
  const mend = openMending({
    catalogue,
    directory: originals.directory,
    write: lanes.write,
    offer: jobs => queue.offer(jobs),
    log,
  })
  const readers = openReaders()
  app.addHook('onClose', async () => readers.close())
  const { ingest, tidy, release } = openIngest({
    catalogue,
    originals,
    exclusive,
    stages: {
      extract: readers.extract,
      chunk: lanes.chunk,
      window: () => lanes.model.window,
      embed: lanes.embedPassages,
      write: lanes.write,
    },
    extracting: openTurns(EXTRACT_AT_ONCE, giveWay),
    cutting: openTurns(2, giveWay),
    embedding,
    mend,
    versionsKept: config.RAG_VERSIONS_KEPT,
  })
  const given = app.counter('rag_jobs_failed_total', 'Jobs that were given up', ['code'])
  const failed = (code: string) => given({ code })
  app.gauge('rag_jobs_unfinished', 'Jobs that wait or are under way', () => queue.size())
  app.gauge('rag_erasures_unfinished', 'Erasures that wait or are under way', () => catalogue.erasures.unfinished().length)
  app.gauge('rag_disk_free_bytes', 'Room on the disk of the data folder', originals.freeBytes)
  const queue = openQueue({ catalogue, ingest, tidy, release, waitingMax: config.RAG_QUEUE_MAX, failed, log })
  app.addHook('onClose', async () => queue.close())
  const stream = openErasureStream({ redis, catalogue, log })
  app.addHook('onClose', async () => stream.close())
  const erasures = openErasures({ catalogue, originals, exclusive, queue, mend, write: lanes.write, stream, log })
  app.addHook('onClose', async () => erasures.close())

  const leaving = new AbortController()
  const filtering = openTurns(1)
  const searching = openTurns(SEARCHES_AT_ONCE)
  const finding = openFinding({
    catalogue,
    collections,
    originals,
    search: (user, order) => searching(user, leaving.signal, () => question(() => search(lanes, order))),
    matching: (user, collections, filter) =>
      filtering(user, leaving.signal, () => lanes.matching({ catalogue: catalogue.file, collections, filter })),
    topK: config.RAG_TOP_K_RESULTS,
    scoreMin: config.RAG_SIMILARITY_THRESHOLD,
  })
  const evaluations = openEvaluations({ catalogue, collections, passages: finding.passages, log })
  app.addHook('onClose', async () => evaluations.close())

  const reindex = openReindex({
    catalogue,
    lanes,
    configured: model,
    directory: originals.directory,
    passages: finding.passages,
    serves: name => app.tells('embedding_model', name),
    log,
  })
  app.addHook('onClose', async () => reindex.close())
  const snapshots = openSnapshots({ originals, still: lanes.still, dataDir, log })
  app.addHook('onClose', async () => snapshots.close())

  app.needs('store', () => catalogue.alive())
  app.needs('model', () => lanes.ready())
  app.tells('embedding_model', model)
  let sweeping: Promise<void> | undefined
  app.addHook('onClose', async () => {
    leaving.abort()
    await sweeping
  })
  app.addHook('onReady', async () => {
    sweeping = sweep({ catalogue, originals, exclusive, write: lanes.write, mend, log }, leaving.signal)
    void erasures.resume()
    queue.resume()
    evaluations.resume()
    reindex.resume()
    stream.follow({ user: erasures.user, document: erasures.again })
  })

  const idempotency = openIdempotency(catalogue)
  return {
    config,
    /** Whether the credential of a request still holds. */
    alive: app.alive,
    originals,
    collections,
    erasures,
    finding,
    evaluations,
    reindex,
    snapshots,
    indexes: openIndexes({ catalogue, index: lanes.index, directory: originals.directory }),
    embeddings: openEmbeddings({ model: () => lanes.model, count: lanes.count, embed: lanes.embedPassages, embedding }),
    uploads: openUploads({
      catalogue,
      collections,
      originals,
      exclusive,
      idempotency,
      queue,
      userBytesMax: config.RAG_USER_BYTES_MAX,
    }),
    documents: openDocuments({ catalogue, collections, originals, queue }),
  }
}
