// How fast the nearest passages are found, and how rightly: made-up vectors in collections of growing size, through the lanes the service
// uses, beside hnswlib bare in this process, and beside servers of others where make bench-peers has brought them.
import { execFile } from 'node:child_process'
import { existsSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join, resolve } from 'node:path'
import { monitorEventLoopDelay } from 'node:perf_hooks'
import { setTimeout as pause } from 'node:timers/promises'
import { parseArgs, promisify } from 'node:util'
import hnswlib from 'hnswlib-node'
import { type Lanes, openLanes } from '../src/rag/lanes.ts'
import { EXACT_MAX } from '../src/rag/vectors.ts'
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
/** As in src/rag/vectors.ts, for all that are compared. */
const [M, EF_CONSTRUCTION, EF_SEARCH] = [16, 200, 100]
/** Passages of one document, which become visible together. */
const DOCUMENT = 500
/** Sizes at which a scan of all is compared with a graph. */
const CROSSING = [250, 500, 1000, 2000, 4000]
const python = resolve(import.meta.dirname, '../run/peers/bin/python')
const seed = Number(values.seed)
const asked = Array.from({ length: Number(values.questions) }, (_, i) => question(seed, i))
const home = mkdtempSync(join(tmpdir(), 'search-'))
const rows: Row[] = []

interface Measured {
  /** Ids found for each question, best first. */
  found: number[][]
  ms: number[]
}

try {
  for (const size of CROSSING) await cross(size)
  for (const size of values.sizes.split(',').map(Number)) await measure(size)
} finally {
  rmSync(home, { recursive: true, force: true })
}
report({
  name: 'search',
  claim:
    'The nearest passages are found nearly as fast as by the bare index, with full recall, and without holding up the event loop.',
  command: `node benchmarks/search.ts --sizes ${values.sizes}${values.peers ? ' --peers' : ''}`,
  setting: {
    ...values,
    dimensions: DIMENSIONS,
    M,
    EF_CONSTRUCTION,
    EF_SEARCH,
    top: TOP,
    generator: 'benchmarks/clusters.ts, 256 clusters',
  },
  rows,
  notClaimed: 'relevance; the embedding of the question is not in it. One client asks, one question after the other.',
})

/** The same collection scanned and by its graph: EXACT_MAX of src/rag/vectors.ts is where they cost the same. */
async function cross(size: number) {
  const { texts, vectors } = passages(seed, 0, size)
  const dir = mkdtempSync(join(home, `crossing-${size}-`))
  const speeds: number[] = []
  for (const exactMax of [size, 0]) {
    const lanes = await open(exactMax)
    if (exactMax) await fill(lanes, dir, texts, vectors)
    else await settled(lanes, dir, size, exactMax)
    await ours(lanes, dir)
    speeds.push(perSecond(await ours(lanes, dir)))
    await lanes.close()
  }
  const [scan = 1, graph = 1] = speeds
  progress(`${size} chunks: scan ${scan.toFixed(0)}/s, graph ${graph.toFixed(0)}/s`)
  rows.push({ label: `${size} chunks, graph beside scan`, value: short(graph / scan), unit: 'of its questions/s' })
}

async function measure(size: number) {
  progress(`${size} chunks: making them`)
  const { texts, vectors } = passages(seed, 0, size)
  const right = asked.map(({ vector }) => exact(vectors, vector))
  const dir = mkdtempSync(join(home, `${size}-`))
  const add = (what: string, value: number, unit: string) =>
    rows.push({ label: `${size} chunks, ${what}`, value: short(value), unit })

  let lanes = await open()
  const began = performance.now()
  await fill(lanes, dir, texts, vectors)
  const written = performance.now()
  progress(`${size} chunks: written`)
  await settled(lanes, dir, size)
  const built = performance.now()
  add('written', (size * 1000) / (written - began), 'chunks/s')
  add('index ready after', (built - written) / 1000, 's')

  await ours(lanes, dir)
  const delay = monitorEventLoopDelay({ resolution: 1 })
  delay.enable()
  const own = await ours(lanes, dir)
  delay.disable()
  const state = await lanes.index(dir)
  await lanes.close()
  const restarting = performance.now()
  lanes = await open()
  const opened = performance.now()
  await ours(lanes, dir, 1)
  add('first answer after a restart, the model aside', (performance.now() - opened) / 1000, 's')
  progress(`${size} chunks: opened in ${Math.round(opened - restarting)} ms`)
  await lanes.close()

  const bare = bareIndex(vectors, size)
  const ofOwn = tell(size, 'rag', own, right)
  const ofBare = tell(size, 'bare hnswlib', bare, right)
  add('rag beside bare hnswlib', ofOwn / ofBare, 'of its questions/s')
  add('longest block of the event loop', delay.max / 1e6, 'ms')
  add(
    'memory of the index',
    Object.values(state.memory).reduce((sum, { bytes }) => sum + bytes, 0) / size / 1024,
    'KiB per chunk',
  )
  if (!values.peers) return
  for (const { name, ...peer } of await peers(vectors, size)) {
    const ofPeer = tell(size, name, peer, right)
    add(`rag beside ${name}`, ofOwn / ofPeer, 'of its questions/s')
  }
}

function open(exactMax?: number): Promise<Lanes> {
  const modelsDir = resolve(import.meta.dirname, '../run/models')
  return openLanes({ modelsDir, model: 'Xenova/all-MiniLM-L6-v2', embedThreads: 1, chunkTokens: 200, chunkOverlap: 32, exactMax })
}

async function fill(lanes: Lanes, dir: string, texts: string[], vectors: Float32Array) {
  for (let at = 0; at < texts.length; at += DOCUMENT) {
    const chunks = texts.slice(at, at + DOCUMENT).map(content => ({ start_byte: 0, end_byte: content.length, content }))
    const part = vectors.slice(at * DIMENSIONS, (at + chunks.length) * DIMENSIONS)
    await lanes.write.append(dir, String(at), 'v', chunks, part)
    await lanes.write.publish(dir, String(at), 'v')
  }
}

/** Waits until the graph holds everything, where there is one. */
async function settled(lanes: Lanes, dir: string, size: number, exactMax = EXACT_MAX) {
  for (;;) {
    await ours(lanes, dir, 1)
    const [memory] = Object.values((await lanes.index(dir)).memory)
    if (size > exactMax ? memory?.graph === size : memory?.rows === size) return
    await pause(200)
  }
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

function bareIndex(vectors: Float32Array, size: number): Measured {
  const index = new hnswlib.HierarchicalNSW('ip', DIMENSIONS)
  index.initIndex(size, M, EF_CONSTRUCTION, 100)
  for (let i = 0; i < size; i++) index.addPoint([...vectors.subarray(i * DIMENSIONS, (i + 1) * DIMENSIONS)], i)
  index.setEf(EF_SEARCH)
  const measured: Measured = { found: [], ms: [] }
  for (const { vector } of asked) {
    const began = performance.now()
    measured.found.push(index.searchKnn([...vector], TOP).neighbors)
    measured.ms.push(performance.now() - began)
  }
  return measured
}

/** The same questions to servers of others, each over its own interface; see peers.py. */
async function peers(vectors: Float32Array, size: number): Promise<(Measured & { name: string })[]> {
  if (!existsSync(python)) {
    progress('No peers: make bench-peers brings them.')
    return []
  }
  const [stored, questions] = [join(home, 'vectors.bin'), join(home, 'questions.bin')]
  writeFileSync(stored, vectors)
  writeFileSync(questions, Float32Array.from(asked.flatMap(({ vector }) => [...vector])))
  const { stdout } = await promisify(execFile)(
    python,
    [join(import.meta.dirname, 'peers.py'), stored, questions, home, String(size)],
    {
      maxBuffer: 2 ** 28,
    },
  )
  return JSON.parse(stdout)
}

function perSecond({ ms }: Pick<Measured, 'ms'>): number {
  return (1000 * ms.length) / ms.reduce((sum, one) => sum + one, 0)
}

/** Adds what was measured; gives the questions per second. */
function tell(size: number, name: string, { found, ms }: Measured, right: number[][]): number {
  const hits = found.map((ids, i) => ids.filter(id => right[i]?.includes(id)).length / TOP)
  const speed = perSecond({ ms })
  const add = (what: string, value: number, unit: string) =>
    rows.push({ label: `${size} chunks, ${name}${what}`, value: short(value), unit })
  add('', speed, 'questions/s')
  add(' p50', percentile(ms, 0.5), 'ms')
  add(' p99', percentile(ms, 0.99), 'ms')
  add(' recall@10', hits.reduce((sum, one) => sum + one, 0) / hits.length, 'recall')
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
