// What taking documents in costs: upload to searchable beside the bare embedding of the same passages by the same model and threads, what
// it does to searches and to the event loop meanwhile, and what one user's load does to another's single document.
import { setTimeout as pause } from 'node:timers/promises'
import { parseArgs } from 'node:util'
import type { Stack } from '../deploy/stack.ts'
import { ragConfig } from '../src/rag/config.ts'
import { openBenchLanes } from './bench-lanes.ts'
import {
  eventLoopMax,
  good,
  onStack,
  percentile,
  progress,
  searchesElsewhere,
  send,
  unlimited,
  type Visitor,
  visitor,
} from './bench-stack.ts'
import { median, report, rowOf } from './report.ts'

const { values } = parseArgs({
  options: {
    documents: { type: 'string', default: '200' },
    load: { type: 'string', default: '6000' },
    rounds: { type: 'string', default: '3' },
    singles: { type: 'string', default: '5' },
    searches: { type: 'string', default: '1000' },
  },
})
const [documents, load, rounds, singles, searches] = [
  values.documents,
  values.load,
  values.rounds,
  values.singles,
  values.searches,
].map(Number) as [number, number, number, number, number]
/** Documents whose passages are embedded bare. */
const BARE_DOCUMENTS = 40
/** Searches before those that count. */
const WARMING = 300
/** Between two looks at the service's health, two searches, and two looks at how much is left, which is work for it too. */
const EVERY_MS = 20
const LEFT_EVERY_MS = 500

const words =
  'the harbour master writes every boat that comes in or leaves into his book with its load and the hour of the tide'.split(' ')
/** A text of 1 to 20 paragraphs of some 60 words, unless told how many; no two alike. */
function textOf(seed: string, n: number, paragraphs = 1 + ((n * 7919) % 20)): string {
  const word = (i: number) => words[(i * i + n) % words.length] ?? ''
  return Array.from(
    { length: paragraphs },
    (_, p) => `Entry ${seed} ${n} ${p}: ${Array.from({ length: 60 }, (_, i) => word(i + p)).join(' ')}.`,
  ).join('\n\n')
}

const runs = {
  bare: [] as number[],
  passages: [] as number[],
  documents: [] as number[],
  share: [] as number[],
  lag: [] as number[],
  health: [] as number[],
  quiet: [] as number[],
  loaded: [] as number[],
  searchShare: [] as number[],
  solo: [] as number[],
  beside: [] as number[],
  fair: [] as number[],
}
await onStack(unlimited, async stack => {
  for (let round = 1; round <= rounds; round++) {
    const [ann, bob] = [await visitor(stack.url, `ann${round}`), await visitor(stack.url, `bob${round}`)]
    const before = await bareRate(`before${round}`)
    const during = await alone(stack, ann, round)
    // The machine is not equally fast all the time: what is measured stands between two measurements of the same work.
    runs.share.push(during / ((before + (await bareRate(`after${round}`))) / 2))
    await together(stack, bob, round)
    progress(`round ${round}/${rounds}: ${runs.share.at(-1)?.toFixed(2)} of bare, fairness ${runs.fair.at(-1)?.toFixed(1)}`)
  }
})
report({
  name: 'ingest',
  claim:
    'Upload to searchable is to run at 0.85 of the bare embedding, to hold up neither the event loop (50 ms) nor searches (twice their time), and one user’s load not to hold up another’s single document (five times its time).',
  setting: { documents, load, rounds, singles, searches, embedThreads: ragConfig(process.env).RAG_EMBED_THREADS },
  rows: [
    rowOf('bare embedding', 'passages per s', runs.bare),
    rowOf('upload to searchable', 'passages per s', runs.passages),
    rowOf('upload to searchable', 'documents per s', runs.documents),
    rowOf('upload to searchable beside bare', 'of bare', runs.share, { better: 'higher', wanted: 0.85 }),
    rowOf('event loop delay meanwhile, greatest', 'ms', runs.lag, { better: 'lower', wanted: 50 }),
    rowOf('/health meanwhile, p99', 'ms', runs.health),
    rowOf('search p99, quiet', 'ms', runs.quiet),
    rowOf('search p99, during ingestion', 'ms', runs.loaded),
    rowOf('search p99, during beside quiet', 'times quiet', runs.searchShare, { better: 'lower', wanted: 2 }),
    rowOf('a single document, alone', 'ms', runs.solo),
    rowOf('a single document, beside a load', 'ms', runs.beside),
    rowOf('a single document, beside a load', 'times alone', runs.fair, { better: 'lower', wanted: 5 }),
  ],
  notClaimed: 'the speed of other models, or that a document is searchable while the whole machine is busy with something else.',
})

/** Passages per second of the model alone, in a lane like the service's, on documents like those that are uploaded. */
async function bareRate(seed: string): Promise<number> {
  const lanes = await openBenchLanes()
  try {
    const texts: string[][] = []
    for (let n = 0; n < BARE_DOCUMENTS; n++) texts.push((await lanes.chunk(textOf(seed, n), [])).map(({ content }) => content))
    await lanes.embedPassages(texts[1] ?? [])
    const began = performance.now()
    await Promise.all(texts.map(one => lanes.embedPassages(one)))
    const rate = (texts.flat().length * 1000) / (performance.now() - began)
    runs.bare.push(rate)
    return rate
  } finally {
    await lanes.close()
  }
}

/** One user's documents and nothing else but a look at the service's health now and then; gives passages per second. */
async function alone(stack: Stack, ann: Visitor, round: number): Promise<number> {
  const rag = `http://127.0.0.1:${stack.ports.rag}`
  await eventLoopMax(rag)
  const began = performance.now()
  await ann.addAll(filesOf(`alone${round}`, documents))
  const health: number[] = []
  for (let left = 1; left > 0; left = await ann.waiting()) {
    for (const end = performance.now() + LEFT_EVERY_MS; performance.now() < end; await pause(EVERY_MS))
      health.push(good(await send(`${rag}/health`, 'GET')).ms)
  }
  const seconds = (performance.now() - began) / 1000
  runs.lag.push(await eventLoopMax(rag))
  runs.health.push(percentile(health, 0.99))
  const passages = await passagesOf(ann)
  runs.passages.push(passages / seconds)
  runs.documents.push(documents / seconds)
  return passages / seconds
}

/** One user's load of short documents, and another who searches and adds a document now and then. */
async function together(stack: Stack, bob: Visitor, round: number) {
  await bob.add('tides', textOf('tides', 3))
  const quiet = await searchP99(bob)
  const solo = await singlesOf(bob, `solo${round}`)
  const eve = await visitor(stack.url, `eve${round}`)
  const endLoad = await loading(eve, `load${round}`)
  const beside = await singlesOf(bob, `beside${round}`)
  const loaded = await searchP99(bob)
  if ((await eve.waiting()) === 0) throw new Error('The load did not last while it was measured: give --load a larger number')
  await endLoad()
  // The last one's load ends with the stack.
  while (round < rounds && (await eve.waiting()) > 0) await pause(LEFT_EVERY_MS)
  runs.quiet.push(quiet)
  runs.loaded.push(loaded)
  runs.searchShare.push(loaded / quiet)
  runs.solo.push(solo)
  runs.beside.push(beside)
  runs.fair.push(beside / solo)
}

/** Puts in a load of short documents, and half as many again whenever half of what was put in last is done, until the function it gives is called. */
async function loading(eve: Visitor, seed: string): Promise<() => Promise<void>> {
  const half = Math.ceil(load / 2)
  let parts = 0
  let isOver = false
  /** Gives the job that comes last of half a load. */
  const add = async () => {
    const last = (await eve.addAll(filesOf(`${seed}-${parts++}`, half, 1))).at(-1)
    if (!last || 'failure' in last) throw new Error(`a document of the load was refused: ${JSON.stringify(last)}`)
    return last.job_id
  }
  const isDone = async (job: string) => JSON.parse(good(await eve.send('GET', `/rag/jobs/${job}`)).text).state === 'ready'
  let [first, second] = [await add(), await add()]
  const followed = (async () => {
    for (; !isOver; await pause(LEFT_EVERY_MS)) if (await isDone(first)) [first, second] = [second, await add()]
  })()
  followed.catch(() => {}) // thrown where it is awaited
  return async () => {
    isOver = true
    await followed
  }
}

function filesOf(seed: string, count: number, paragraphs?: number): File[] {
  return Array.from({ length: count }, (_, n) => new File([textOf(seed, n, paragraphs)], `${seed}-${n}.txt`))
}

async function passagesOf(who: Visitor): Promise<number> {
  let passages = 0
  for (let cursor = ''; ; ) {
    const page = JSON.parse(good(await who.send('GET', `/rag/documents?limit=200${cursor}`)).text)
    for (const document of page.documents) passages += document.passages
    if (!page.next_cursor) return passages
    cursor = `&cursor=${page.next_cursor}`
  }
}

async function singlesOf(who: Visitor, seed: string): Promise<number> {
  const times: number[] = []
  for (let n = 0; n < singles; n++) {
    const began = performance.now()
    await who.add(`${seed}-${n}`, textOf(`${seed}-${n}`, 2))
    times.push(performance.now() - began)
  }
  return median(times)
}

async function searchP99(reader: Visitor): Promise<number> {
  return percentile(await searchesElsewhere(reader, { warming: WARMING, searches, everyMs: EVERY_MS }), 0.99)
}
