// What a question costs through the edge in a collection of growing size: beside the embedding of its words alone, and beside the search of
// the same collection by its words alone. Passages are put on disk while rag is down, their vectors made up around the model's own of some
// of them: embedding a hundred thousand takes a quarter of an hour.
import { mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { setTimeout as pause } from 'node:timers/promises'
import { parseArgs } from 'node:util'
import type { Stack } from '../deploy/stack.ts'
import type { SearchMode } from '../src/contracts/search.ts'
import { openCatalogue } from '../src/rag/store/catalogue.ts'
import { modelsDir, openBenchLanes, settled } from './bench-lanes.ts'
import { eventLoopMax, good, onStack, percentile, progress, unlimited, type Visitor, visitor } from './bench-stack.ts'
import { type Manner, passages, question } from './clusters.ts'
import { type Row, report, rowOf } from './report.ts'

const { values } = parseArgs({
  options: {
    sizes: { type: 'string', default: '1000,10000,100000' },
    questions: { type: 'string', default: '300' },
    seed: { type: 'string', default: '1' },
  },
})
const seed = Number(values.seed)
/** Passages of one document. */
const DOCUMENT = 500
/** Texts whose vectors the others lie around. */
const CENTRES = 256
const ROUNDS = 5
const TOP = 5
/** What an edge, a service and a fused search may take beside what they wait for, in milliseconds. */
const ABOVE_MS_MAX = 3
/** The longest that a search may keep others waiting, in milliseconds. */
const BLOCK_MS_MAX = 20
type Way = 'embedding' | 'words' | 'status' | SearchMode

const home = mkdtempSync(join(tmpdir(), 'questions-'))
const lanes = await openBenchLanes()
const rows: Row[] = []
try {
  const manner = await likeLanguage()
  await onStack({ ...unlimited, RAG_DATA_DIR: home }, async stack => {
    const asker = await visitor(stack.url, 'asker')
    const { id } = JSON.parse((await asker.send('POST', '/rag/collections', { name: 'all' })).text)
    let held = 0
    for (const size of values.sizes.split(',').map(Number)) {
      await stack.kill('rag', 'SIGTERM')
      await grow(id, held, size, manner)
      held = size
      await measure(stack, asker, id, size, manner)
    }
  })
} finally {
  await lanes.close()
  rmSync(home, { recursive: true, force: true })
}
report({
  name: 'questions',
  claim:
    'Through the edge a question by meaning is to take at most 3 ms more than the embedding of its words, and one by meaning and words at most 3 ms more than the slower of embedding and full text.',
  setting: { ...values, model: lanes.model.name, top_k: TOP, wordsOfAPassage: 100, wordsOfAQuestion: 6 },
  rows,
  notClaimed:
    'relevance: the texts are words of the model’s own vocabulary, as unevenly frequent as in a language. One client asks, one question after the other.',
})

/** Words the model knows, the commonest first as its vocabulary has them, and its vectors of some texts of them. */
async function likeLanguage(): Promise<Manner> {
  const tokenizer = JSON.parse(readFileSync(join(modelsDir, lanes.model.name, 'tokenizer.json'), 'utf8'))
  const vocabulary = Object.entries(tokenizer.model.vocab as Record<string, number>).toSorted(([, a], [, b]) => a - b)
  const words = vocabulary.map(([word]) => word).filter(word => /^[a-z]{2,}$/.test(word))
  const { texts } = passages(seed + 1, 0, CENTRES, { words })
  const vectors = await lanes.embedPassages(texts)
  const width = vectors.length / CENTRES
  return { words, centres: texts.map((_, i) => vectors.subarray(i * width, (i + 1) * width)) }
}

/** Puts passages into the collection's file, its graph beside it, their texts into files, and their documents into the catalogue. */
async function grow(collection_id: string, from: number, to: number, manner: Manner) {
  const dir = directory(collection_id)
  mkdirSync(join(dir, 'texts'), { recursive: true })
  const catalogue = openCatalogue(home)
  for (let at = from; at < to; at += DOCUMENT) {
    const { texts, vectors } = passages(seed, at, Math.min(DOCUMENT, to - at), manner)
    const id = String(at)
    writeFileSync(join(dir, 'texts', id), texts.join(''))
    await lanes.write.append(dir, id, id, placed(texts), vectors)
    const position = await lanes.write.publish(dir, id, id)
    const made = { original: id, version: id, created_at: Date.now() }
    const version = { ...made, document_id: id, media_type: 'text/plain', coverage: '{}', passages: texts.length }
    const row = { ...made, id, collection_id, title: id, source: null, metadata: '{}', bytes: 0, failure: null }
    catalogue.transaction(() => {
      catalogue.documents.insert({ ...row, state: 'ready', job_id: id, created_by: '', updated_at: Date.now() })
      catalogue.versions.intend(version)
      catalogue.versions.keep(id, id)
      catalogue.collections.follow(collection_id, position)
    })
    if (at % 20_000 === 0) progress(`${at} of ${to} passages`)
  }
  catalogue.close()
  progress(`${to} passages: making the graph`)
  await settled(lanes, dir, to)
}

/** One after the other in one text. */
function placed(texts: string[]) {
  let end_byte = 0
  return texts.map(content => {
    const start_byte = end_byte
    end_byte += content.length
    return { content, start_byte, end_byte }
  })
}

function directory(collection: string): string {
  return join(home, 'collections', collection)
}

/**
 * The ways take turns, each with a question that no other way asks just then, so that each finds the machine, and what its caches hold, as
 * the others do. What one way takes more than another is told question by question.
 */
async function measure(stack: Stack, asker: Visitor, collection: string, size: number, manner: Manner) {
  await stack.restart('rag')
  const dir = directory(collection)
  const ways: Record<Way, (query: string) => Promise<number>> = {
    embedding: query => clocked(() => lanes.embedQuery(query)),
    words: query => clocked(() => lanes.find({ dir, question: query, weight: 0, limit: TOP, min_score: 0 })),
    status: async () => good(await asker.send('GET', '/agent/status')).ms,
    vector: query => ask(asker, query, 'vector'),
    lexical: query => ask(asker, query, 'lexical'),
    hybrid: query => ask(asker, query, 'hybrid'),
  }
  const names = Object.keys(ways) as Way[]
  const each = Math.ceil(Number(values.questions) / ROUNDS)
  const rounds: Record<Way, number>[][] = []
  const blocks: number[] = []
  for (let round = 0; round <= ROUNDS; round++) {
    const times = Array.from({ length: each }, () => ({ embedding: 0, words: 0, status: 0, vector: 0, lexical: 0, hybrid: 0 }))
    for (let n = 0; n < each; n++)
      for (const [turn, way] of names.entries()) {
        const asked = (n + turn * Math.floor(each / names.length)) % each
        const { query } = question(seed, size + round * each + asked, manner)
        ;(times[asked] as Record<Way, number>)[way] = await ways[way](query)
      }
    const block = await eventLoopMax(`http://127.0.0.1:${stack.ports.rag}`)
    // The first round is for warming.
    if (round === 0) continue
    rounds.push(times)
    blocks.push(block)
  }
  const add = (
    what: string,
    of: (ms: Record<Way, number>) => number,
    share = 0.5,
    judged: Pick<Row, 'better' | 'wanted'> = {},
  ) => {
    const inRound = (times: Record<Way, number>[]) => percentile(times.map(of), share)
    const row = rowOf(`${size} passages, ${what}`, 'ms', rounds.map(inRound), judged)
    rows.push(row)
    progress(`${row.label}: ${row.value} ms`)
  }
  add('embedding alone, p50', ({ embedding }) => embedding)
  add('full text alone, p50', ({ words }) => words)
  add('a reply of no work through the edge, p50', ({ status }) => status)
  for (const mode of ['vector', 'lexical', 'hybrid'] as const) {
    add(`${mode} through the edge, p50`, ({ [mode]: ms }) => ms)
    add(`${mode} through the edge, p99`, ({ [mode]: ms }) => ms, 0.99)
  }
  rows.push(rowOf(`${size} passages, longest block of rag’s event loop`, 'ms', blocks, { better: 'lower', wanted: BLOCK_MS_MAX }))
  const little = { better: 'lower', wanted: ABOVE_MS_MAX } as const
  add('vector above the embedding, p50', ({ vector, embedding }) => vector - embedding, 0.5, little)
  add(
    'hybrid above the slower of embedding and full text, p50',
    ({ hybrid, embedding, words }) => hybrid - Math.max(embedding, words),
    0.5,
    little,
  )
}

async function clocked(work: () => Promise<unknown>): Promise<number> {
  const began = performance.now()
  await work()
  return performance.now() - began
}

/** Asks until the edge sees rag again. */
async function ask(asker: Visitor, query: string, mode: SearchMode): Promise<number> {
  for (;;) {
    const { status, text, ms } = await asker.send('POST', '/rag/search', { query, mode, top_k: TOP })
    if (status === 200 && JSON.parse(text).passages.length > 0) return ms
    if (status !== 503) throw new Error(`search: ${status} ${text}`)
    await pause(100)
  }
}
