// How well the right document is found: every set, a folder of the BEIR layout, is uploaded to a stack, by a user and into a collection of
// its own, and asked through the edge by words, by meaning and by both. Documents longer than a passage count by their best one.
import { existsSync, readdirSync, statSync } from 'node:fs'
import { basename, join, resolve } from 'node:path'
import { setTimeout as pause } from 'node:timers/promises'
import { parseArgs } from 'node:util'
import type { SearchMode } from '../src/contracts/search.ts'
import { ragConfig } from '../src/rag/config.ts'
import { documents, judgedQueries, type Query } from './beir.ts'
import { good, onStack, progress, unlimited, type Visitor, visitor } from './bench-stack.ts'
import { interval, type Judgements, mean, ndcg, recall, reciprocalRank } from './measures.ts'
import { keptRows, type Row, report } from './report.ts'

const { RAG_EMBEDDING_MODEL, RAG_CHUNK_SIZE, RAG_CHUNK_OVERLAP } = ragConfig({})
const { values } = parseArgs({
  options: {
    data: { type: 'string' },
    sets: { type: 'string' },
    model: { type: 'string', default: RAG_EMBEDDING_MODEL },
  },
})
const modes: SearchMode[] = ['lexical', 'vector', 'hybrid']
/**
 * nDCG@10 of others, not measured here. OGX: nomic-embed-text-v1.5 and words, then a reranker. Anserini: BM25 and bge-base-en-v1.5, fused by
 * min-max scores.
 */
const published: Record<string, Record<string, number>> = {
  scifact: { 'OGX hybrid': 0.7137, 'Anserini BM25 + bge-base': 0.7472 },
  nfcorpus: { 'OGX hybrid': 0.335, 'Anserini BM25 + bge-base': 0.3657 },
}
const SOURCES =
  'The published figures are quoted, not measured: OGX’s from its RAG benchmarks (2026), Anserini’s from docs/experiments-beir-fusion.md in its repository.'
/** This project's own targets; those of nDCG@10 are below what Anserini published with a larger model. */
const targets: Record<string, number> = {
  'scifact, hybrid, nDCG@10': 0.725,
  'nfcorpus, hybrid, nDCG@10': 0.35,
  'xquad-en, hybrid, recall@5': 0.95,
}
/** Questions on their way at once, and the longest of them in characters. */
const ASKED_AT_ONCE = 4
const QUERY_CHARS_MAX = 2000
/** Between two looks at how far the documents are, in milliseconds. */
const LOOK_MS = 250

const data = values.data ?? join(import.meta.dirname, '../../shared/eval')
if (values.data === undefined && !existsSync(data)) {
  progress(`There is no ${data}; name a set of the BEIR layout, or a folder of such sets, with --data.`)
  process.exit(0)
}
const sets = setsIn(data)
const names = values.sets?.split(',') ?? [...sets.keys()]
const missing = names.filter(name => !sets.has(name))
if (sets.size === 0 || missing.length > 0) {
  const there = sets.size === 0 ? 'A set is a folder with qrels/test.tsv.' : `There are ${[...sets.keys()].join(', ')}.`
  progress(`There is no set ${missing.join(', ') || 'of the BEIR layout'} in ${data}. ${there}`)
  process.exit(1)
}
const chosen = [...sets].filter(([name]) => names.includes(name))
const rows: Row[] = []
await onStack({ ...unlimited, RAG_EMBEDDING_MODEL: values.model }, async ({ url }) => {
  for (const [i, [name, folder]] of chosen.entries())
    rows.push(...(await measure(await visitor(url, `reader${i}`), name, folder)))
})
keep()

/** The folder of each set by its name: `folder` itself, or those in it. */
function setsIn(folder: string): Map<string, string> {
  const isSet = (path: string) => existsSync(join(path, 'qrels/test.tsv'))
  if (isSet(folder)) return new Map([[basename(resolve(folder)), folder]])
  const inside = statSync(folder, { throwIfNoEntry: false })?.isDirectory() ? readdirSync(folder) : []
  return new Map(inside.map(name => [name, join(folder, name)] as const).filter(([, path]) => isSet(path)))
}

/** Rows of sets that were not measured this time stay as they were, unless all the usual ones were. */
function keep() {
  const name = values.model === RAG_EMBEDDING_MODEL ? 'retrieval' : `retrieval-${values.model.split('/').at(-1)}`
  const older = values.sets === undefined && values.data === undefined ? [] : keptRows(name)
  const setOf = ({ label }: Row) => label.split(',')[0] ?? ''
  const all = [...older.filter(row => !names.includes(setOf(row))), ...rows].toSorted((a, b) => setOf(a).localeCompare(setOf(b)))
  report({
    name,
    claim: 'By their mean nDCG@10 on a set, words and meaning together find at least what the better of the two finds.',
    setting: { model: values.model, RAG_CHUNK_SIZE, RAG_CHUNK_OVERLAP, top_k: 100, bootstrap: 1000 },
    rows: all,
    notClaimed: `answers; these are ranks of documents. The spread is the 95 % interval of the mean over queries. ${SOURCES}`,
  })
}

async function measure(reader: Visitor, name: string, folder: string): Promise<Row[]> {
  const { twins, empty } = await fill(reader, name, documents(folder))
  const queries = judgedQueries(folder)
  const rankings = new Map<SearchMode, string[][]>()
  for (const mode of modes) {
    rankings.set(mode, await ask(reader, queries, mode, twins))
    progress(`${name}: ${queries.length} questions asked, ${mode}`)
  }
  const rows = rowsOf(name, queries, rankings)
  if (empty > 0) rows.push({ label: `${name}, without any text, so never found`, value: empty, unit: 'documents' })
  for (const { label, value, unit } of rows) progress(`${label}: ${value} ${unit}`)
  return rows
}

/**
 * Uploads a set and waits until all of it can be found; gives the set's ids of each document, for equal texts are one document, and how
 * many have no text.
 */
async function fill(reader: Visitor, name: string, texts: { id: string; text: string }[]) {
  const files = texts.map(({ id, text }) => new File([text], id))
  const began = performance.now()
  const entries = await reader.addAll(files)
  const refused = entries.flatMap(entry => ('failure' in entry ? [entry] : []))
  const twins = new Map<string, string[]>()
  for (const [i, entry] of entries.entries())
    if ('id' in entry) twins.set(entry.id, [...(twins.get(entry.id) ?? []), files[i]?.name ?? ''])

  for (const [i, entry] of entries.entries()) {
    if (i % 200 !== 199 || !('job_id' in entry)) continue
    while (!(await isOver(reader, entry.job_id))) await pause(LOOK_MS)
    progress(`${name}: ${i + 1} of ${entries.length} documents`)
  }
  while ((await reader.waiting()) > 0) await pause(LOOK_MS)
  const without = [...refused, ...(await failed(reader))]
  const other = without.find(({ failure }) => failure.code !== 'no_text')
  if (other) throw new Error(`${name}: ${other.title} failed: ${other.failure.code}`)
  const seconds = (performance.now() - began) / 1000
  progress(`${name}: ${entries.length} documents in ${seconds.toFixed(0)} s, ${without.length} without text`)
  return { twins, empty: without.length }
}

/** Documents that could not be made findable, and why. */
async function failed(reader: Visitor): Promise<{ title: string; failure: { code: string } }[]> {
  const found = []
  let more = ''
  do {
    const page = JSON.parse(good(await reader.send('GET', `/rag/documents?state=failed&limit=200${more}`)).text)
    found.push(...page.documents)
    more = page.next_cursor ? `&cursor=${page.next_cursor}` : ''
  } while (more)
  return found
}

async function isOver(reader: Visitor, job: string): Promise<boolean> {
  const { state } = JSON.parse(good(await reader.send('GET', `/rag/jobs/${job}`)).text)
  return state === 'ready' || state === 'failed'
}

/** Ids of the 100 best documents for each query. */
async function ask(reader: Visitor, queries: Query[], mode: SearchMode, twins: Map<string, string[]>) {
  const rankings: string[][] = []
  const waiting = queries.entries()
  const work = async () => {
    for (const [i, { text }] of waiting) {
      const order = { query: text.slice(0, QUERY_CHARS_MAX), mode, top_k: 100, group_by: 'document' }
      const { text: reply } = good(await reader.send('POST', '/rag/search', order))
      const { passages } = JSON.parse(reply) as { passages: { document_id: string }[] }
      rankings[i] = passages.flatMap(({ document_id }) => twins.get(document_id) ?? [])
    }
  }
  await Promise.all(Array.from({ length: ASKED_AT_ONCE }, work))
  return rankings
}

function rowsOf(name: string, queries: Query[], rankings: Map<SearchMode, string[][]>): Row[] {
  type Measure = (ranking: string[], judged: Judgements, k: number) => number
  const by = (mode: SearchMode, measure: Measure, k: number) =>
    queries.map(({ judged }, i) => measure(rankings.get(mode)?.[i] ?? [], judged, k))
  const row = (label: string, unit: string, scores: number[], wanted = targets[`${name}, ${label}, ${unit}`]): Row => {
    const [low, high] = interval(scores)
    return {
      label: `${name}, ${label}`,
      value: round(mean(scores)),
      spread: [round(low), round(high)],
      unit,
      better: 'higher',
      ...(wanted !== undefined && { wanted }),
    }
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
    row('hybrid above the better leg', 'nDCG@10, paired', gained, 0),
    ...Object.entries(published[name] ?? {}).map(([who, value]) => ({
      label: `${name}, published: ${who}`,
      value,
      unit: 'nDCG@10',
    })),
  ]
}

function round(value: number): number {
  return Number(value.toFixed(4))
}
