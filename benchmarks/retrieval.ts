// How well the right document is found: every BEIR-layout folder is taken in by the same lanes the service uses, then asked by words, by
// meaning and by both. Documents longer than a passage count by their best passage. With --keep a folder, what was embedded stays there,
// and a run that was broken off goes on from it.
import { existsSync, mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join, resolve } from 'node:path'
import { parseArgs } from 'node:util'
import { gunzipSync } from 'node:zlib'
import type { SearchMode } from '../src/contracts/search.ts'
import { type Lanes, openLanes } from '../src/rag/lanes.ts'
import { search } from '../src/rag/search.ts'
import { interval, type Judgements, mean, ndcg, recall, reciprocalRank } from './measures.ts'
import { type Row, report } from './report.ts'

const { values } = parseArgs({
  options: {
    data: { type: 'string', default: join(import.meta.dirname, '../../shared/eval') },
    sets: { type: 'string' },
    keep: { type: 'string' },
    model: { type: 'string', default: 'Xenova/all-MiniLM-L6-v2' },
    threads: { type: 'string', default: '1' },
  },
})
const modes: SearchMode[] = ['lexical', 'vector', 'hybrid']
/** nDCG@10 as others published it: OGX's hybrid search, Anserini's BM25 + bge-base fusion. */
const published: Record<string, object> = {
  scifact: { 'OGX hybrid': 0.7137, 'Anserini BM25 + bge-base': 0.7472 },
  nfcorpus: { 'OGX hybrid': 0.335, 'Anserini BM25 + bge-base': 0.3782 },
}
const say = (text: string) => process.stderr.write(text)

if (!existsSync(values.data)) {
  say(`There is no ${values.data}; name a folder of BEIR-layout collections with --data.\n`)
  process.exit(0)
}
const wanted = values.sets?.split(',')
const names = readdirSync(values.data).filter(
  name => existsSync(join(values.data, name, 'qrels/test.tsv')) && (wanted?.includes(name) ?? true),
)
const lanes = await openLanes({
  modelsDir: resolve(import.meta.dirname, '../run/models'),
  model: values.model,
  embedThreads: Number(values.threads),
  chunkTokens: 200,
  chunkOverlap: 32,
})
const rows: Row[] = []
try {
  for (const name of names) rows.push(...(await measure(lanes, name)))
} finally {
  await lanes.close()
}
keep()

/** Rows of sets that were not measured this time stay as they were. */
function keep() {
  const name = values.model.endsWith('MiniLM-L6-v2') ? 'retrieval' : `retrieval-${values.model.split('/').at(-1)}`
  const before = join(import.meta.dirname, 'results', `${name}.json`)
  const older: Row[] = wanted && existsSync(before) ? JSON.parse(readFileSync(before, 'utf8')).rows : []
  const setOf = ({ label }: Row) => label.split(',')[0] ?? ''
  const all = [...older.filter(row => !names.includes(setOf(row))), ...rows].toSorted((a, b) => setOf(a).localeCompare(setOf(b)))
  report({
    name,
    claim: `Words and meaning together find at least what the better of the two finds. Published nDCG@10: ${JSON.stringify(published)}.`,
    command: `node benchmarks/retrieval.ts --model ${values.model}${values.sets ? ` --sets ${values.sets}` : ''}`,
    setting: { model: values.model, chunkTokens: 200, chunkOverlap: 32, candidates: 100, bootstrap: 1000 },
    rows: all,
    notClaimed: 'answers; these are ranks of documents. The spread is the 95 % interval of the mean over queries.',
  })
}

interface Query {
  id: string
  text: string
  judged: Judgements
}

async function measure(lanes: Lanes, name: string): Promise<Row[]> {
  const folder = join(values.data, name)
  const kept = values.keep && join(values.keep, values.model, name)
  if (kept) mkdirSync(kept, { recursive: true })
  const dir = kept || mkdtempSync(join(tmpdir(), 'retrieval-'))
  try {
    await fill(lanes, dir, name, lines(join(folder, 'corpus.jsonl.gz')))
    const queries = judgedQueries(folder)
    const rankings = new Map<SearchMode, string[][]>()
    for (const mode of modes) rankings.set(mode, await ask(lanes, { id: name, dir }, queries, mode))
    const rows = rowsOf(name, queries, rankings)
    process.stdout.write(`${JSON.stringify({ set: name, queries: queries.length, published: published[name], rows })}\n`)
    return rows
  } finally {
    await lanes.write.close(dir)
    if (!kept) rmSync(dir, { recursive: true, force: true })
  }
}

/** Ids of the 100 best documents for each query. */
async function ask(lanes: Lanes, collection: { id: string; dir: string }, queries: Query[], mode: SearchMode) {
  const rankings: string[][] = []
  for (const { text } of queries) {
    const query = text.slice(0, 2000)
    const hits = await search(lanes, { query, mode, top_k: 100, collections: [collection], group_by: 'document' })
    rankings.push(hits.map(({ document_id }) => document_id))
    if (rankings.length % 200 === 0) say(`${collection.id} ${mode}: ${rankings.length} of ${queries.length} queries\n`)
  }
  return rankings
}

function rowsOf(name: string, queries: Query[], rankings: Map<SearchMode, string[][]>): Row[] {
  type Measure = (ranking: string[], judged: Judgements, k: number) => number
  const by = (mode: SearchMode, measure: Measure, k: number) =>
    queries.map(({ judged }, i) => measure(rankings.get(mode)?.[i] ?? [], judged, k))
  const row = (label: string, unit: string, scores: number[]): Row => {
    const [low, high] = interval(scores)
    return { label: `${name}, ${label}`, value: round(mean(scores)), spread: [round(low), round(high)], unit }
  }
  const [words, meaning, both] = modes.map(mode => by(mode, ndcg, 10)) as [number[], number[], number[]]
  const better = mean(words) > mean(meaning) ? words : meaning
  const gained = both.map((score, i) => score - (better[i] as number))
  return [
    ...modes.flatMap(mode => [
      row(mode, 'nDCG@10', by(mode, ndcg, 10)),
      row(mode, 'recall@5', by(mode, recall, 5)),
      row(mode, 'recall@100', by(mode, recall, 100)),
      row(mode, 'MRR@10', by(mode, reciprocalRank, 10)),
    ]),
    row('hybrid above the better leg', 'nDCG@10, paired', gained),
  ]
}

async function fill(lanes: Lanes, dir: string, name: string, documents: Record<string, string>[]) {
  let done = 0
  const waiting = documents.entries()
  const work = async () => {
    for (const [, { _id = '', title, text = '' }] of waiting) {
      const whole = title ? `${title}\n\n${text}` : text
      const length = Buffer.byteLength(whole)
      const passages = whole.trim() ? await lanes.chunk(whole, [{ start: 0, end: length, kind: 'paragraph' }]) : []
      if (passages.length > 0 && (await lanes.write.appended(dir, _id, 'v')) < passages.length) {
        await lanes.write.append(dir, _id, 'v', passages, await lanes.embedPassages(passages.map(({ content }) => content)))
        await lanes.write.publish(dir, _id, 'v')
      }
      done += 1
      if (done % 200 === 0) say(`${name}: ${done} of ${documents.length} documents\n`)
    }
  }
  await Promise.all(Array.from({ length: Number(values.threads) + 1 }, work))
}

function judgedQueries(folder: string): Query[] {
  const judged = new Map<string, Judgements>()
  for (const line of readFileSync(join(folder, 'qrels/test.tsv'), 'utf8').trim().split('\n').slice(1)) {
    const [query = '', document = '', gain = '0'] = line.split('\t')
    judged.set(query, (judged.get(query) ?? new Map()).set(document, Number(gain)))
  }
  return lines(join(folder, 'queries.jsonl.gz'))
    .map(({ _id = '', text = '' }) => ({ id: _id, text, judged: judged.get(_id) ?? new Map<string, number>() }))
    .filter(({ judged: one }) => [...one.values()].some(gain => gain > 0))
}

function lines(path: string): Record<string, string>[] {
  return gunzipSync(readFileSync(path))
    .toString()
    .trim()
    .split('\n')
    .map(line => JSON.parse(line))
}

function round(value: number): number {
  return Number(value.toFixed(4))
}
