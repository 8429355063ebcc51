// How fast the nearest passages are found, and how rightly: made-up vectors in collections of growing size, and a folder of real text where
// one is named, through the lanes the service uses, beside hnswlib bare in this process, and beside servers of others where make bench-peers
// has brought them.
import { existsSync, mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { basename, join } from 'node:path'
import { monitorEventLoopDelay } from 'node:perf_hooks'
import { parseArgs } from 'node:util'
import type { Lanes } from '../src/rag/lanes.ts'
import { efSearch } from '../src/rag/vectors.ts'
import { openBenchLanes, settled } from './bench-lanes.ts'
import { percentile, progress } from './bench-stack.ts'
import {
  askBare,
  askEach,
  bareIndex,
  DIMENSIONS,
  EF_CONSTRUCTION,
  exact,
  M,
  type Measured,
  peers,
  peersNamed,
  placeOf,
  TOP,
} from './nearest.ts'
import { overHttp } from './over-http.ts'
import { keptRows, type Row, report } from './report.ts'
import { type Collection, madeUp, ofText } from './search-collections.ts'

const { values } = parseArgs({
  options: {
    sizes: { type: 'string', default: '1000,10000,100000' },
    questions: { type: 'string', default: '1000' },
    seed: { type: 'string', default: '1' },
    text: { type: 'string' },
    peers: { type: 'string', default: '' }, // 'all', or some: 'pgvector,chroma'
  },
})
/** Passages of one document, which become visible together. */
const DOCUMENT = 500
/** Vectors compared to know what is right, all questions together: more than this take minutes, and fewer questions are checked. */
const COMPARED_MAX = 100_000_000
/** Sizes at which a scan of all is compared with a graph. */
const CROSSING = [250, 500, 1000, 2000, 4000]
/** Questions asked among half of the documents. */
const FILTERED = 100
type Judged = Pick<Row, 'better' | 'wanted'>
const HIGHER = { better: 'higher' } as const
const RECALL = { better: 'higher', wanted: 0.98 } as const
/** Beside servers, each asked over HTTP or SQL, from as many passages on. */
const BESIDE_SERVERS = 1.5
const MANY = 10_000
const BLOCK_MS_MAX = 20
const OF_ITS = 'of its questions/s'
const seed = Number(values.seed)
const beside = peersNamed(values.peers)
const home = mkdtempSync(join(tmpdir(), 'search-'))
const rows: Row[] = []
const SCAN = 'graph beside scan'
const about = {
  name: 'search',
  claim:
    'The nearest passages, each with its text, are to be found with a recall of 0.98, from ten thousand passages on one and a half times as fast as by servers of others, and without holding up the event loop for 20 ms.',
  setting: {
    ...values,
    text: values.text && basename(values.text),
    dimensions: DIMENSIONS,
    M,
    EF_CONSTRUCTION,
    efSearch: efSearch.toString(),
    top: TOP,
    generator: 'benchmarks/clusters.ts, 256 clusters',
  },
  notClaimed:
    'relevance; the embedding of the question is not in it. One client asks, one question after the other, all with the same M and ef. rag is asked in its process, and over HTTP where it stands beside a server; it gives texts where the others give ids. The time of a server is that of its usual client: Python for peers, JavaScript for rag, which here has no edge, no token and no catalogue before it.',
}

process.once('exit', () => rmSync(home, { recursive: true, force: true }))
// A million takes an hour and more: what is known by then is kept.
for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP'] as const)
  process.once(signal, () => {
    keep('broken off')
    process.exit(1)
  })
for (const size of CROSSING) await cross(size)
for (const size of values.sizes.split(',').map(Number)) await measure(madeUp(size, Number(values.questions), seed))
if (values.text && existsSync(values.text)) await measure(await ofText(values.text))
else if (values.text) progress(`There is no ${values.text}; name a folder of the BEIR layout with --text.`)
keep()

/** Rows of sizes that were not measured to the end this time, nor compared with a scan, and of peers that were not asked, stay as they were. */
function keep(how?: 'broken off') {
  const older = keptRows('search')
  const sizeOf = ({ label }: Row) => Number.parseInt(label, 10)
  const begun = new Set(rows.filter(({ label }) => !label.includes(SCAN)).map(sizeOf))
  const isOfOther = ({ label }: Row) => peersNamed('all').some(name => !beside.includes(name) && label.includes(name))
  const left = older.filter(
    one => (how || !begun.has(sizeOf(one)) || isOfOther(one)) && !rows.some(({ label }) => label === one.label),
  )
  report({ ...about, rows: [...rows, ...left].toSorted((a, b) => sizeOf(a) - sizeOf(b)) })
}

/** The same collection scanned and by its graph, for EXACT_MAX of src/rag/vectors.ts. */
async function cross(size: number) {
  const dir = mkdtempSync(join(home, `crossing-${size}-`))
  const collection = madeUp(size, Number(values.questions), seed)
  const speeds: number[] = []
  for (const exactMax of [size, 0]) {
    const lanes = await openBenchLanes(exactMax)
    if (exactMax) await fill(lanes, dir, collection)
    else await settled(lanes, dir, size, exactMax)
    await ours(lanes, dir, collection.asked)
    speeds.push(perSecond(await ours(lanes, dir, collection.asked)))
    await lanes.close()
  }
  const [scan = 1, graph = 1] = speeds
  progress(`${size} chunks: scan ${scan.toFixed(0)}/s, graph ${graph.toFixed(0)}/s`)
  rows.push({ label: `${size} chunks, ${SCAN}`, value: short(graph / scan), unit: OF_ITS })
}

async function measure(collection: Collection) {
  const { name, size, asked } = collection
  const dir = mkdtempSync(join(home, `${size}-`))
  const add = (what: string, value: number, unit: string, judged: Judged = {}) =>
    rows.push({ label: `${name}, ${what}`, value: short(value), unit, ...judged })

  let lanes = await openBenchLanes()
  const { vectors, seconds } = await fill(lanes, dir, collection)
  const written = performance.now()
  progress(`${name}: written`)
  await settled(lanes, dir, size)
  const built = performance.now()
  add('written', size / seconds, 'chunks/s')
  add('index ready after', (built - written) / 1000, 's')

  // What is compared is asked one right after the other: from minute to minute the machine is not the same.
  const index = bareIndex(dir, vectors)
  await ours(lanes, dir, asked)
  const delay = monitorEventLoopDelay({ resolution: 1 })
  delay.enable()
  const own = await ours(lanes, dir, asked)
  delay.disable()
  askBare(index, asked)
  const bare = askBare(index, asked)
  const isOfHalf = (id: number) => Math.floor(id / DOCUMENT) % 2 === 0
  const half = Array.from({ length: Math.ceil(size / DOCUMENT) }, (_, i) => i * DOCUMENT).filter(isOfHalf)
  const some = asked.slice(0, FILTERED)
  const wanted = JSON.stringify(half.map(String))
  await ours(lanes, dir, some, wanted)
  const filtered = await ours(lanes, dir, some, wanted)
  const state = await lanes.index(dir)
  await lanes.close()
  lanes = await openBenchLanes()
  const opened = performance.now()
  await ours(lanes, dir, asked.slice(0, 1))
  add('first answer after a restart, the model aside', (performance.now() - opened) / 1000, 's')

  const checked = asked.slice(0, Math.max(1, Math.floor(COMPARED_MAX / size)))
  const right = checked.map(vector => exact(vectors, vector))
  progress(`${name}: right answers to ${right.length} questions are known`)
  add('rag beside bare hnswlib', tell(name, 'rag', own, right, RECALL) / tell(name, 'bare hnswlib', bare, right), OF_ITS, HIGHER)
  const rightOfHalf = some.map(vector => exact(vectors, vector, isOfHalf))
  const among = tell(name, 'rag among half of the documents', filtered, rightOfHalf, RECALL)
  add('rag among half of the documents beside among all', among / perSecond(own), OF_ITS, HIGHER)
  add('longest block of the event loop', delay.max / 1e6, 'ms', { better: 'lower', wanted: BLOCK_MS_MAX })
  add(
    'memory of the index, as the service counts it',
    Object.values(state.memory).reduce((sum, { bytes }) => sum + bytes, 0) / size / 1024,
    'KiB per chunk',
  )
  for await (const peer of peers(beside, home, vectors, asked)) {
    const isServer = !peer.name.endsWith('in process')
    const http = isServer ? await overHttp(lanes, dir) : undefined
    const askAgain = () => (http ? http.ask(asked) : ours(lanes, dir, asked))
    await askAgain() // what it reads is in memory again, as what the peer has just stored is
    const again = tell(name, `rag ${http ? 'over HTTP' : 'in process'} after ${peer.name}`, await askAgain(), right)
    await http?.close()
    const wanted = isServer && size >= MANY ? { wanted: BESIDE_SERVERS } : {}
    add(`rag beside ${peer.name}`, again / tell(name, peer.name, peer, right), OF_ITS, { ...HIGHER, ...wanted })
  }
  await lanes.close()
  rmSync(dir, { recursive: true, force: true })
}

/** Writes a collection, a part at a time so that the texts are in memory only until they are on disk; gives all vectors and how long the writing took. */
async function fill(
  lanes: Lanes,
  dir: string,
  { name, size, made }: Collection,
): Promise<{ vectors: Float32Array; seconds: number }> {
  const all = new Float32Array(size * DIMENSIONS)
  let ms = 0
  for (let at = 0; at < size; at += DOCUMENT) {
    const { texts, vectors } = made(at, Math.min(DOCUMENT, size - at))
    all.set(vectors, at * DIMENSIONS)
    const chunks = texts.map(content => ({ start_byte: 0, end_byte: Buffer.byteLength(content), content }))
    const began = performance.now()
    await lanes.write.append(dir, String(at), 'v', chunks, vectors)
    await lanes.write.publish(dir, String(at), 'v')
    ms += performance.now() - began
    if (at % 100_000 === 0) progress(`${name}: ${at} written`)
  }
  return { vectors: all, seconds: ms / 1000 }
}

/** Asks through the lanes, as a search of known vector does; `documents` is a JSON list of those asked among. */
function ours(lanes: Lanes, dir: string, asked: Float32Array[], documents?: string): Promise<Measured> {
  return askEach(asked, async vector => {
    const hits = await lanes.find({ dir, question: '', vector, weight: 1, limit: TOP, min_score: 0, documents })
    return hits.map(placeOf)
  })
}

function perSecond({ ms }: Pick<Measured, 'ms'>): number {
  return (1000 * ms.length) / ms.reduce((sum, one) => sum + one, 0)
}

/** Adds what was measured; gives the questions per second. */
function tell(collection: string, name: string, { found, ms }: Measured, right: number[][], judged: Judged = {}): number {
  const hits = right.map((ids, i) => ids.filter(id => found[i]?.includes(id)).length / TOP)
  const speed = perSecond({ ms })
  const add = (what: string, value: number, unit: string, judged: Judged = {}) =>
    rows.push({ label: `${collection}, ${name}${what}`, value: short(value), unit, ...judged })
  add('', speed, 'questions/s')
  add(' p50', percentile(ms, 0.5), 'ms')
  add(' p99', percentile(ms, 0.99), 'ms')
  add(
    hits.length < ms.length ? ` recall@10, of ${hits.length} questions` : ' recall@10',
    hits.reduce((sum, one) => sum + one, 0) / hits.length,
    'recall',
    judged,
  )
  progress(`${collection}, ${name}: ${speed.toFixed(0)} questions/s`)
  return speed
}

function short(value: number): number {
  return Number(value.toPrecision(4))
}
