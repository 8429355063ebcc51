// How well the right document is found: every BEIR-layout folder is uploaded to a stack, by a user and into a collection of its own, and
// asked through the edge by words, by meaning and by both. Documents longer than a passage count by their best passage.
import { existsSync, readdirSync } from 'node:fs'
import { join } from 'node:path'
import { setTimeout as pause } from 'node:timers/promises'
import { parseArgs } from 'node:util'
import type { SearchMode } from '../src/contracts/search.ts'
import { ragConfig } from '../src/rag/config.ts'
import { documents, judgedQueries, type Query } from './beir.ts'
import { onStack, progress, unlimited, type Visitor, visitor } from './bench-stack.ts'
import { interval, type Judgements, mean, ndcg, recall, reciprocalRank } from './measures.ts'
import { keptRows, type Row, report } from './report.ts'

const { RAG_EMBEDDING_MODEL, RAG_CHUNK_SIZE, RAG_CHUNK_OVERLAP } = ragConfig({})
const { values } = parseArgs({
  options: {
    data: { type: 'string', default: join(import.meta.dirname, '../../shared/eval') },
    sets: { type: 'string' },
    model: { type: 'string', default: RAG_EMBEDDING_MODEL },
  },
})
const modes: SearchMode[] = ['lexical', 'vector', 'hybrid']
/** nDCG@10 as others published it: OGX's hybrid search, Anserini's BM25 + bge-base fusion. */
const published: Record<string, object> = {
  scifact: { 'OGX hybrid': 0.7137, 'Anserini BM25 + bge-base': 0.7472 },
  nfcorpus: { 'OGX hybrid': 0.335, 'Anserini BM25 + bge-base': 0.3782 },
}
/** What is aimed at here. */
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

if (!existsSync(values.data)) {
  progress(`There is no ${values.data}; name a folder of BEIR-layout collections with --data.`)
  process.exit(0)
}
const wanted = values.sets?.split(',')
const names = readdirSync(values.data).filter(
  name => existsSync(join(values.data, name, 'qrels/test.tsv')) && (wanted?.includes(name) ?? true),
)
const rows: Row[] = []
await onStack({ ...unlimited, RAG_EMBEDDING_MODEL: values.model }, async ({ url }) => {
  for (const name of names) rows.push(...(await measure(await visitor(url, name), name)))
})
keep()

/** Rows of sets that were not measured this time stay as they were. */
function keep() {
  const name = values.model === RAG_EMBEDDING_MODEL ? 'retrieval' : `retrieval-${values.model.split('/').at(-1)}`
  const older = wanted ? keptRows(name) : []
  const setOf = ({ label }: Row) => label.split(',')[0] ?? ''
  const all = [...older.filter(row => !names.includes(setOf(row))), ...rows].toSorted((a, b) => setOf(a).localeCompare(setOf(b)))
  report({
    name,
    claim: `Words and meaning together find at least what the better of the two finds. Published nDCG@10: ${JSON.stringify(published)}.`,
    setting: { model: values.model, RAG_CHUNK_SIZE, RAG_CHUNK_OVERLAP, top_k: 100, bootstrap: 1000 },
    rows: all,
    notClaimed: 'answers; these are ranks of documents. The spread is the 95 % interval of the mean over queries.',
  })
}

async function measure(reader: Visitor, name: string): Promise<Row[]> {
  const folder = join(values.data, name)
  const { twins, empty } = await fill(reader, name, documents(folder))
  const queries = judgedQueries(folder)
  const rankings = new Map<SearchMode, string[][]>()
  for (const mode of modes) {
    rankings.set(mode, await ask(reader, queries, mode, twins))
    progress(`${name}: ${queries.length} questions asked, ${mode}`)
  }
  const rows = rowsOf(name, queries, rankings)
  if (empty > 0) rows.push({ label: `${name}, without any text, so never found`, value: empty, unit: 'documents' })
  process.stdout.write(`${JSON.stringify({ set: name, queries: queries.length, published: published[name], rows })}\n`)
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
    const page = JSON.parse((await reader.send('GET', `/rag/documents?state=failed&limit=200${more}`)).text)
    found.push(...page.documents)
    more = page.next_cursor ? `&cursor=${page.next_cursor}` : ''
  } while (more)
  return found
}

async function isOver(reader: Visitor, job: string): Promise<boolean> {
  const { state } = JSON.parse((await reader.send('GET', `/rag/jobs/${job}`)).text)
  return state === 'ready' || state === 'failed'
}

/** Ids of the 100 best documents for each query. */
async function ask(reader: Visitor, queries: Query[], mode: SearchMode, twins: Map<string, string[]>) {
  const rankings: string[][] = []
  const waiting = queries.entries()
  const work = async () => {
    for (const [i, { text }] of waiting) {
      const order = { query: text.slice(0, QUERY_CHARS_MAX), mode, top_k: 100, group_by: 'document' }
      const { status, text: reply } = await reader.send('POST', '/rag/search', order)
      if (status !== 200) throw new Error(`search: ${status} ${reply}`)
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
  const row = (
    label: string,
    unit: string,
    scores: number[],
    judged: Pick<Row, 'better' | 'wanted'> = { better: 'higher' },
  ): Row => {
    const [low, high] = interval(scores)
    const least = targets[`${name}, ${label}, ${unit}`]
    const aimed = least === undefined ? {} : { wanted: least }
    return {
      label: `${name}, ${label}`,
      value: round(mean(scores)),
      spread: [round(low), round(high)],
      unit,
      ...judged,
      ...aimed,
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
    // A difference about nothing: of two runs the figures above are compared.
    row('hybrid above the better leg', 'nDCG@10, paired', gained, {}),
  ]
}

function round(value: number): number {
  return Number(value.toFixed(4))
}
