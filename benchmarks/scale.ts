// How cost grows: search latency and memory as one collection doubles, as searchers double, and as the number of small collections doubles.
// Vectors are made up and known, so that what is measured is the index and not the model.
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { parseArgs } from 'node:util'
import type { Lanes } from '../src/rag/lanes.ts'
import { search } from '../src/rag/search.ts'
import { openBenchLanes, settled } from './bench-lanes.ts'
import { percentile, progress } from './bench-stack.ts'
import { passages, question } from './clusters.ts'
import { type Row, report } from './report.ts'

const { values } = parseArgs({
  options: {
    chunks: { type: 'string', default: '32000' },
    searchers: { type: 'string', default: '32' },
    collections: { type: 'string', default: '640' },
    questions: { type: 'string', default: '200' },
    seed: { type: 'string', default: '1' },
  },
})
const seed = Number(values.seed)
const questions = Number(values.questions)
/** Passages handed to the writer at once; passages of a small collection. */
const BATCH = 500
const SMALL = 20
const FIRST = { chunks: 1000, searchers: 1, collections: 10 }
/** What twice as much may cost, and a small collection among many beside one among few, which are all open. */
const DOUBLED_MAX = 2
const MANY_MAX = 5
/** Has no factor in common with a number of collections, so that all are asked in turn. */
const STRIDE = 7919

type Collection = { id: string; dir: string }
const home = mkdtempSync(join(tmpdir(), 'scale-'))
const known = new Map<string, Float32Array>()
const lanes = await openBenchLanes()
/** The real search, but for the model: the vector of a question is looked up. */
const legs = {
  find: lanes.find,
  words: lanes.words,
  near: lanes.near,
  embedQuery: async (text: string) => ({ vector: known.get(text) as Float32Array, familiarity: 1 }),
}
const rows: Row[] = []
let asked = 0
process.once('exit', () => rmSync(home, { recursive: true, force: true }))
for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP'] as const) process.once(signal, () => process.exit(1))
try {
  await growing()
  await crowding()
  await spreading()
} finally {
  await lanes.close()
}
report({
  name: 'scale',
  claim:
    'Search is to take less than twice as long when twice as much is searched, and in a small collection among thousands, most of which are not open, at most five times as long as among ten.',
  setting: { ...values, passagesOfASmallCollection: SMALL, words: 100, clusters: 256 },
  rows,
  notClaimed:
    'relevance: words and vectors are made up (benchmarks/clusters.ts). Memory is what the whole process has more than before the first of the kind.',
})

/** One collection, twice as large each time. */
async function growing() {
  const collection = { id: 'one', dir: mkdtempSync(join(home, 'one-')) }
  let half = 0
  let held = 0
  const before = megabytes()
  for (const size of doubling(FIRST.chunks, Number(values.chunks))) {
    await fill(collection, held, size)
    held = size
    await settled(lanes, collection.dir, size)
    await middleOf([collection], 20)
    const p50 = await middleOf([collection], questions)
    rows.push({ label: `${size} chunks, search p50`, value: rounded(p50), unit: 'ms' })
    if (half) rows.push(timesOf(`${size} chunks, search p50 beside half as many`, p50 / half, DOUBLED_MAX))
    rows.push({ label: `${size} chunks, memory`, value: megabytes() - before, unit: 'MB' })
    half = p50
    progress(`${size} chunks: ${p50.toFixed(1)} ms`)
  }
}

/** Searchers at once, each in a small collection of their own. */
async function crowding() {
  const most = Number(values.searchers)
  const homes = await Promise.all(Array.from({ length: most }, (_, i) => small(`crowd-${i}`)))
  let alone = 0
  for (const one of homes) await middleOf([one], SMALL)
  const before = megabytes()
  for (const count of doubling(FIRST.searchers, most)) {
    const times: number[] = []
    const began = performance.now()
    const each = Math.ceil(questions / count) * 4
    await Promise.all(
      homes.slice(0, count).map(async collection => {
        for (let turn = 0; turn < each; turn++) times.push(await ask([collection]))
      }),
    )
    const perSecond = (count * each * 1000) / (performance.now() - began)
    alone ||= perSecond
    rows.push(
      { label: `${count} searchers`, value: rounded(perSecond), unit: 'searches/s' },
      { label: `${count} searchers beside one`, value: rounded(perSecond / alone), unit: 'of one', better: 'higher' },
      { label: `${count} searchers, p50`, value: rounded(percentile(times, 0.5)), unit: 'ms' },
      { label: `${count} searchers, p99`, value: rounded(percentile(times, 0.99)), unit: 'ms' },
      { label: `${count} searchers, memory`, value: megabytes() - before, unit: 'MB' },
    )
    progress(`${count} searchers: ${perSecond.toFixed(0)}/s`)
  }
}

/** Small collections; each question goes to one that was not asked for a while. */
async function spreading() {
  const all: Collection[] = []
  let fewest = 0
  const before = megabytes()
  for (const count of doubling(FIRST.collections, Number(values.collections))) {
    while (all.length < count) all.push(await small(`small-${all.length}`))
    const times: number[] = []
    for (let i = 0; i < questions; i++) times.push(await ask([all[(i * STRIDE) % all.length] as Collection]))
    const p50 = percentile(times, 0.5)
    rows.push({ label: `${count} collections, search p50`, value: rounded(p50), unit: 'ms' })
    if (fewest) rows.push(timesOf(`${count} collections, search p50 beside ${FIRST.collections}`, p50 / fewest, MANY_MAX))
    rows.push({ label: `${count} collections, memory`, value: megabytes() - before, unit: 'MB' })
    fewest ||= p50
    progress(`${count} collections: ${p50.toFixed(1)} ms`)
  }
}

async function small(id: string): Promise<Collection> {
  const collection = { id, dir: mkdtempSync(join(home, `${id}-`)) }
  await fill(collection, 0, SMALL)
  return collection
}

async function fill({ dir }: Collection, from: number, to: number) {
  for (let at = from; at < to; at += BATCH) {
    const { texts, vectors } = passages(seed, at, Math.min(BATCH, to - at))
    const chunks = texts.map(content => ({ start_byte: 0, end_byte: content.length, content }))
    await append(lanes, dir, `${at}`, chunks, vectors)
  }
}

async function append(
  lanes: Lanes,
  dir: string,
  id: string,
  chunks: Parameters<Lanes['write']['append']>[3],
  vectors: Float32Array,
) {
  await lanes.write.append(dir, id, 'v', chunks, vectors)
  await lanes.write.publish(dir, id, 'v')
}

async function middleOf(collections: Collection[], count: number): Promise<number> {
  const times: number[] = []
  for (let i = 0; i < count; i++) times.push(await ask(collections))
  return percentile(times, 0.5)
}

/** One hybrid search of a question nobody asked before, in milliseconds. */
async function ask(collections: Collection[]): Promise<number> {
  asked += 1
  const { query, vector } = question(seed, asked)
  known.set(query, vector)
  const began = performance.now()
  await search(legs, { query, mode: 'hybrid', top_k: 10, collections })
  const ms = performance.now() - began
  known.delete(query)
  return ms
}

function timesOf(label: string, value: number, wanted: number): Row {
  return { label, value: rounded(value), unit: 'times as long', better: 'lower', wanted }
}

function doubling(first: number, last: number): number[] {
  const all: number[] = []
  for (let size = first; size <= last; size *= 2) all.push(size)
  return all
}

function megabytes(): number {
  return Math.round(process.memoryUsage.rss() / 2 ** 20)
}

function rounded(value: number): number {
  return Number(value.toPrecision(4))
}
