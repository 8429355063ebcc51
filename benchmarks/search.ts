// How fast the nearest passages are found, and how rightly: made-up vectors in collections of growing size, through the lanes the service
// uses, beside hnswlib bare in this process, and beside servers of others where make bench-peers has brought them.
import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { existsSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join, resolve } from 'node:path'
import { monitorEventLoopDelay } from 'node:perf_hooks'
import { createInterface } from 'node:readline'
import { parseArgs } from 'node:util'
import hnswlib from 'hnswlib-node'
import type { Lanes } from '../src/rag/lanes.ts'
import { efSearch } from '../src/rag/vectors.ts'
import { openBenchLanes, settled } from './bench-lanes.ts'
import { percentile, progress } from './bench-stack.ts'
import { passages, question } from './clusters.ts'
import { type Row, report } from './report.ts'

const { values } = parseArgs({
  options: {
    sizes: { type: 'string', default: '1000,10000,100000' },
    questions: { type: 'string', default: '1000' },
    seed: { type: 'string', default: '1' },
    peers: { type: 'boolean', default: false },
  },
})
const DIMENSIONS = 384
const TOP = 10
/** As in src/rag/vectors.ts, for all that are compared; so is efSearch. */
const [M, EF_CONSTRUCTION] = [16, 200]
/** Passages of one document, which become visible together. */
const DOCUMENT = 500
/** Vectors compared to know what is right, all questions together: more than this take minutes, and fewer questions are checked. */
const COMPARED_MAX = 100_000_000
/** Sizes at which a scan of all is compared with a graph. */
const CROSSING = [250, 500, 1000, 2000, 4000]
const python = resolve(import.meta.dirname, '../run/peers/bin/python')
const seed = Number(values.seed)
const asked = Array.from({ length: Number(values.questions) }, (_, i) => question(seed, i))
const home = mkdtempSync(join(tmpdir(), 'search-'))
const rows: Row[] = []
const SCAN = 'graph beside scan'
const about = {
  name: 'search',
  claim:
    'The nearest passages are found nearly as fast as by the bare index, with full recall, and without holding up the event loop.',
  command: `node benchmarks/search.ts --sizes ${values.sizes}${values.peers ? ' --peers' : ''}`,
  setting: {
    ...values,
    dimensions: DIMENSIONS,
    M,
    EF_CONSTRUCTION,
    efSearch: efSearch.toString(),
    top: TOP,
    generator: 'benchmarks/clusters.ts, 256 clusters',
  },
  notClaimed: 'relevance; the embedding of the question is not in it. One client asks, one question after the other.',
}

interface Measured {
  /** Ids found for each question, best first. */
  found: number[][]
  ms: number[]
}

process.once('exit', () => rmSync(home, { recursive: true, force: true }))
// A million takes an hour and more: what is known by then is kept.
for (const signal of ['SIGINT', 'SIGTERM'] as const)
  process.once(signal, () => {
    keep()
    process.exit(1)
  })
for (const size of CROSSING) await cross(size)
for (const size of values.sizes.split(',').map(Number)) await measure(size)
keep()

/** Rows of sizes that were not measured this time, nor compared with a scan, stay as they were. */
function keep() {
  const before = join(import.meta.dirname, 'results/search.json')
  const older: Row[] = existsSync(before) ? JSON.parse(readFileSync(before, 'utf8')).rows : []
  const sizeOf = ({ label }: Row) => Number.parseInt(label, 10)
  const begun = new Set(rows.filter(({ label }) => !label.includes(SCAN)).map(sizeOf))
  const left = older.filter(one => !begun.has(sizeOf(one)) && !rows.some(({ label }) => label === one.label))
  report({ ...about, rows: [...rows, ...left].toSorted((a, b) => sizeOf(a) - sizeOf(b)) })
}

/** The same collection scanned and by its graph: EXACT_MAX of src/rag/vectors.ts is where they cost the same. */
async function cross(size: number) {
  const dir = mkdtempSync(join(home, `crossing-${size}-`))
  const speeds: number[] = []
  for (const exactMax of [size, 0]) {
    const lanes = await openBenchLanes(exactMax)
    if (exactMax) await fill(lanes, dir, size)
    else await settled(lanes, dir, size, exactMax)
    await ours(lanes, dir)
    speeds.push(perSecond(await ours(lanes, dir)))
    await lanes.close()
  }
  const [scan = 1, graph = 1] = speeds
  progress(`${size} chunks: scan ${scan.toFixed(0)}/s, graph ${graph.toFixed(0)}/s`)
  rows.push({ label: `${size} chunks, ${SCAN}`, value: short(graph / scan), unit: 'of its questions/s' })
}

async function measure(size: number) {
  const dir = mkdtempSync(join(home, `${size}-`))
  const add = (what: string, value: number, unit: string) =>
    rows.push({ label: `${size} chunks, ${what}`, value: short(value), unit })

  let lanes = await openBenchLanes()
  const { vectors, seconds } = await fill(lanes, dir, size)
  const written = performance.now()
  progress(`${size} chunks: written`)
  await settled(lanes, dir, size)
  const built = performance.now()
  add('written', size / seconds, 'chunks/s')
  add('index ready after', (built - written) / 1000, 's')

  await ours(lanes, dir)
  const delay = monitorEventLoopDelay({ resolution: 1 })
  delay.enable()
  const own = await ours(lanes, dir)
  delay.disable()
  const state = await lanes.index(dir)
  await lanes.close()
  const restarting = performance.now()
  lanes = await openBenchLanes()
  const opened = performance.now()
  await ours(lanes, dir, 1)
  add('first answer after a restart, the model aside', (performance.now() - opened) / 1000, 's')
  progress(`${size} chunks: opened in ${Math.round(opened - restarting)} ms`)
  await lanes.close()
  const bare = bareIndex(dir, vectors, size)
  rmSync(dir, { recursive: true, force: true })

  const checked = asked.slice(0, Math.max(1, Math.floor(COMPARED_MAX / size)))
  const right = checked.map(({ vector }) => exact(vectors, vector))
  progress(`${size} chunks: right answers to ${right.length} questions are known`)
  const ofOwn = tell(size, 'rag', own, right)
  const ofBare = tell(size, 'bare hnswlib', askBare(bare), right)
  add('rag beside bare hnswlib', ofOwn / ofBare, 'of its questions/s')
  add('longest block of the event loop', delay.max / 1e6, 'ms')
  add(
    'memory of the index',
    Object.values(state.memory).reduce((sum, { bytes }) => sum + bytes, 0) / size / 1024,
    'KiB per chunk',
  )
  if (!values.peers) return
  for await (const { name, ...peer } of peers(vectors)) {
    const ofPeer = tell(size, name, peer, right)
    add(`rag beside ${name}`, ofOwn / ofPeer, 'of its questions/s')
  }
}

/** Writes a collection, a part at a time so that the texts are in memory only until they are on disk; gives all vectors and how long the writing took. */
async function fill(lanes: Lanes, dir: string, size: number): Promise<{ vectors: Float32Array; seconds: number }> {
  const all = new Float32Array(size * DIMENSIONS)
  let ms = 0
  for (let at = 0; at < size; at += DOCUMENT) {
    const { texts, vectors } = passages(seed, at, Math.min(DOCUMENT, size - at))
    all.set(vectors, at * DIMENSIONS)
    const chunks = texts.map(content => ({ start_byte: 0, end_byte: content.length, content }))
    const began = performance.now()
    await lanes.write.append(dir, String(at), 'v', chunks, vectors)
    await lanes.write.publish(dir, String(at), 'v')
    ms += performance.now() - began
    if (at % 100_000 === 0) progress(`${size} chunks: ${at} written`)
  }
  return { vectors: all, seconds: ms / 1000 }
}

/** Asks through the lanes, as a search of known vector does. */
async function ours(lanes: Lanes, dir: string, count = asked.length): Promise<Measured> {
  const measured: Measured = { found: [], ms: [] }
  for (const { vector } of asked.slice(0, count)) {
    const began = performance.now()
    const hits = await lanes.find({ dir, question: '', vector, weight: 1, limit: TOP, min_score: 0 })
    measured.ms.push(performance.now() - began)
    measured.found.push(hits.map(({ document_id, chunk_id }) => Number(document_id) + Number(chunk_id.split('-').at(-1))))
  }
  return measured
}

/** The collection's own graph, with nothing around it; one that is too small for a graph gets one. Its labels are the passages' ids, from 1. */
function bareIndex(dir: string, vectors: Float32Array, size: number): hnswlib.HierarchicalNSW {
  const index = new hnswlib.HierarchicalNSW('ip', DIMENSIONS)
  const own = join(dir, 'vectors.hnsw')
  if (existsSync(own)) index.readIndexSync(own)
  else {
    index.initIndex(size, M, EF_CONSTRUCTION, 100)
    for (let i = 0; i < size; i++) index.addPoint([...vectors.subarray(i * DIMENSIONS, (i + 1) * DIMENSIONS)], i + 1)
  }
  index.setEf(efSearch(size))
  return index
}

function askBare(index: hnswlib.HierarchicalNSW): Measured {
  const measured: Measured = { found: [], ms: [] }
  for (const { vector } of asked) {
    const began = performance.now()
    measured.found.push(index.searchKnn([...vector], TOP).neighbors.map(label => label - 1))
    measured.ms.push(performance.now() - began)
  }
  return measured
}

/** The same questions to servers of others, each over its own interface; see peers.py. */
async function* peers(vectors: Float32Array): AsyncGenerator<Measured & { name: string }> {
  if (!existsSync(python)) return progress('No peers: make bench-peers brings them.')
  const [stored, questions] = [join(home, 'vectors.bin'), join(home, 'questions.bin')]
  writeFileSync(stored, vectors)
  writeFileSync(questions, Float32Array.from(asked.flatMap(({ vector }) => [...vector])))
  const args = [join(import.meta.dirname, 'peers.py'), stored, questions, home, String(efSearch(vectors.length / DIMENSIONS))]
  const running = spawn(python, args, { stdio: ['ignore', 'pipe', 'inherit'] })
  process.once('exit', () => running.kill('SIGINT')) // which lets it end the servers it has started
  for await (const line of createInterface(running.stdout)) yield JSON.parse(line)
  if (running.exitCode === null) await once(running, 'exit')
  if (running.exitCode !== 0) throw new Error('A peer failed')
  rmSync(stored)
}

function perSecond({ ms }: Pick<Measured, 'ms'>): number {
  return (1000 * ms.length) / ms.reduce((sum, one) => sum + one, 0)
}

/** Adds what was measured; gives the questions per second. */
function tell(size: number, name: string, { found, ms }: Measured, right: number[][]): number {
  const hits = right.map((ids, i) => ids.filter(id => found[i]?.includes(id)).length / TOP)
  const speed = perSecond({ ms })
  const add = (what: string, value: number, unit: string) =>
    rows.push({ label: `${size} chunks, ${name}${what}`, value: short(value), unit })
  add('', speed, 'questions/s')
  add(' p50', percentile(ms, 0.5), 'ms')
  add(' p99', percentile(ms, 0.99), 'ms')
  add(
    hits.length < ms.length ? ` recall@10, of ${hits.length} questions` : ' recall@10',
    hits.reduce((sum, one) => sum + one, 0) / hits.length,
    'recall',
  )
  progress(`${size} chunks, ${name}: ${speed.toFixed(0)} questions/s`)
  return speed
}

/** The ten nearest by comparing every vector. */
function exact(vectors: Float32Array, query: Float32Array): number[] {
  const best: { id: number; score: number }[] = []
  for (let id = 0, at = 0; at < vectors.length; id++) {
    let score = 0
    for (let i = 0; i < DIMENSIONS; i++) score += (query[i] as number) * (vectors[at++] as number)
    if (best.length === TOP && score <= (best.at(-1)?.score ?? 0)) continue
    best.push({ id, score })
    best.sort((a, b) => b.score - a.score)
    best.length = Math.min(best.length, TOP)
  }
  return best.map(({ id }) => id)
}

function short(value: number): number {
  return Number(value.toPrecision(4))
}
