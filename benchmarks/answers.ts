// How often the answer is right and its citation points at the right paragraph: questions of a SQuAD-like set, asked through the edge; and
// what an answer costs beside the search it contains. Beside it, where its weights are, the same for the small model of this machine, on a few
// of the questions: it reads and writes slowly.
import { existsSync } from 'node:fs'
import { join } from 'node:path'
import { parseArgs } from 'node:util'
import { request } from 'undici'
import { SMALLTALK } from '../src/agent/models/local-weights.ts'
import { judgements, lines } from './beir.ts'
import { good, onStack, percentile, progress, unlimited, type Visitor, visitor } from './bench-stack.ts'
import { interval, mean } from './measures.ts'
import { type Row, report, rowOf } from './report.ts'

const { values } = parseArgs({
  options: {
    data: { type: 'string', default: join(import.meta.dirname, '../../shared/eval/xquad-en') },
    questions: { type: 'string', default: '1190' },
    timed: { type: 'string', default: '200' },
    local: { type: 'string', default: '20' },
    provider: { type: 'string' },
  },
})
const UPLOADS_AT_ONCE = 4
/** Times the timed questions are asked. */
const ROUNDS = 5
const weights = join(import.meta.dirname, '..', SMALLTALK)

interface Paragraph {
  _id: string
  title?: string
  text: string
}
interface Question {
  _id: string
  text: string
  metadata: { answers: [number, string][] }
}
interface Outcome {
  answerer: string
  grounded: boolean
  right: boolean
  cited: boolean
  /** Words of the answer. */
  words: number
  /** Whether the best passage that a search finds holds the expected words, and how many words it has. */
  isIn: boolean
  wordsFound: number
}

if (!existsSync(values.data)) {
  progress(`There is no ${values.data}; name a folder of the BEIR layout with answers in the queries' metadata with --data.`)
  process.exit(0)
}
const paragraphs = lines<Paragraph>(join(values.data, 'corpus.jsonl.gz'))
const home = new Map(judgements(values.data).map(([query, document]) => [query, document]))
const all = lines<Question>(join(values.data, 'queries.jsonl.gz')).filter(({ metadata }) => metadata?.answers?.length > 0)
const questions = spread(Number(values.questions))

const rows: Row[] = []
let answerer = ''
await onStack({ ...unlimited, ...(values.provider && { DEFAULT_LLM_PROVIDER: values.provider }) }, async ({ url }) => {
  const reader = await visitor(url, 'reader')
  await fill(reader)
  rows.push(...shares(await asked(reader, questions)), ...(await timed(reader)))
})
const few = spread(Number(values.local))
if (values.provider || few.length === 0) progress('the small model of this machine was not asked')
else if (!existsSync(weights)) progress('the small model of this machine was not asked: make smalltalk brings it')
else {
  await onStack({ ...unlimited, DEFAULT_LLM_PROVIDER: 'local', LOCAL_MODEL_PATH: weights }, async ({ url }) => {
    const reader = await visitor(url, 'reader')
    await fill(reader)
    const outcomes = await asked(reader, few)
    const own = outcomes.filter(({ answerer }) => answerer !== 'extractive')
    rows.push(
      ...shares(outcomes, `small model, ${few.length} questions: `),
      share('small model: a passage bore what it said; the others went to the built-in answerer', outcomes, one =>
        own.includes(one),
      ),
      ...(own.length > 0 ? [share('small model: of those, holds the expected words', own, ({ right }) => right)] : []),
    )
  })
}
report({
  name: values.provider ? `answers-${values.provider}` : 'answers',
  claim: `The answer (${answerer}) is made of the sentences that hold it, cited from the right paragraph, and is to cost one and a half searches at most.`,
  setting: {
    data: values.data.split('/').at(-1),
    paragraphs: paragraphs.length,
    questions: questions.length,
    timed: values.timed,
  },
  rows,
  notClaimed:
    'that an answer reads like one a person writes; the built-in answerer quotes. The spread of shares is their 95 % interval.',
})

/** Every so-manyth question, so that a part of them is spread over the whole set. */
function spread(count: number): Question[] {
  const step = Math.max(1, Math.floor(all.length / count))
  return all.filter((_, i) => i % step === 0).slice(0, count)
}

async function asked(reader: Visitor, some: Question[]): Promise<Outcome[]> {
  const outcomes: Outcome[] = []
  for (const question of some) {
    outcomes.push(await ask(reader, question))
    if (outcomes.length % 100 === 0) progress(`${outcomes.length} of ${some.length} questions`)
  }
  return outcomes
}

function shares(outcomes: Outcome[], of = ''): Row[] {
  return [
    share(`${of}answer holds the expected words`, outcomes, ({ right }) => right),
    share(`${of}a citation is of the right paragraph`, outcomes, ({ cited }) => cited),
    share(`${of}grounded`, outcomes, ({ grounded }) => grounded),
    share(`${of}for comparison: the best passage, whole, holds the expected words`, outcomes, ({ isIn }) => isIn),
    ...(['words', 'wordsFound'] as const).map(name => ({
      label: `${of}${name === 'words' ? 'words of an answer' : 'words of the best passage'}, p50`,
      value: percentile(
        outcomes.map(one => one[name]),
        0.5,
      ),
      unit: 'words',
    })),
  ]
}

function share(label: string, outcomes: Outcome[], is: (outcome: Outcome) => boolean): Row {
  const hits = outcomes.map(outcome => (is(outcome) ? 1 : 0))
  const [low, high] = interval(hits)
  const spread: [number, number] = [Number(low.toFixed(4)), Number(high.toFixed(4))]
  return { label, value: Number(mean(hits).toFixed(4)), spread, unit: 'of questions', better: 'higher' }
}

async function fill(reader: Visitor) {
  let done = 0
  const waiting = paragraphs.values()
  await Promise.all(
    Array.from({ length: UPLOADS_AT_ONCE }, async () => {
      for (const { _id, text } of waiting) {
        await reader.add(_id, text)
        done += 1
        if (done % 60 === 0) progress(`${done} of ${paragraphs.length} paragraphs`)
      }
    }),
  )
}

async function ask(reader: Visitor, { _id, text, metadata }: Question): Promise<Outcome> {
  const body = JSON.parse(good(await reader.send('POST', '/agent/query', { user_request: text })).text) as {
    grounded: boolean
    final_response: string
    answerer: string
    citations: { title: string }[]
  }
  answerer ||= body.answerer
  const { passages } = JSON.parse(good(await reader.send('POST', '/rag/search', { query: text, top_k: 1 })).text) as {
    passages: { content: string }[]
  }
  const best = passages[0]?.content ?? ''
  // Whole words: "5" is not in "1985".
  const expected = metadata.answers.map(([, answer]) => answer.replace(/[\\^$.*+?()[\]{}|]/g, '\\$&'))
  const pattern = new RegExp(`(?<![\\p{L}\\p{N}])(?:${expected.join('|')})(?![\\p{L}\\p{N}])`, 'u')
  const holds = (said: string) => pattern.test(said)
  return {
    answerer: body.answerer,
    grounded: body.grounded,
    right: holds(body.final_response),
    cited: body.citations.some(({ title }) => title === home.get(_id)),
    words: wordsOf(body.final_response),
    isIn: holds(best),
    wordsFound: wordsOf(best),
  }
}

function wordsOf(text: string): number {
  return text.replace(/\[\d+\]/g, '').match(/[\p{L}\p{N}]+/gu)?.length ?? 0
}

/** Search, answer and first event of a stream for the same questions, one after the other, round after round. */
async function timed(reader: Visitor): Promise<Row[]> {
  const rounds: Record<'search' | 'answer' | 'first', number[]>[] = []
  for (let round = 0; round < ROUNDS; round++) {
    const times = { search: [] as number[], answer: [] as number[], first: [] as number[] }
    for (const { text } of questions.slice(0, Number(values.timed))) {
      times.search.push(good(await reader.send('POST', '/rag/search', { query: text })).ms)
      times.answer.push(good(await reader.send('POST', '/agent/query', { user_request: text })).ms)
      times.first.push(await firstDelta(reader, text))
    }
    rounds.push(times)
    progress(`round ${round + 1} of ${ROUNDS}`)
  }
  const of = (name: keyof (typeof rounds)[0], share: number) => rounds.map(times => percentile(times[name], share))
  const search = of('search', 0.5)
  const answer = of('answer', 0.5)
  const first = of('first', 0.5)
  return [
    rowOf('search p50', 'ms', search),
    rowOf('answer p50', 'ms', answer),
    rowOf('answer p99', 'ms', of('answer', 0.99)),
    rowOf(
      'answer p50 beside search p50',
      'times search',
      answer.map((ms, i) => ms / (search[i] ?? 1)),
      { better: 'lower', wanted: 1.5 },
    ),
    rowOf('first words of a stream, p50', 'ms', first),
    rowOf('first words of a stream, p99', 'ms', of('first', 0.99)),
    rowOf(
      'first words of a stream beside a whole answer, p50',
      'times the answer',
      first.map((ms, i) => ms / (answer[i] ?? 1)),
      { better: 'lower' },
    ),
  ]
}

/** From the asking to the arrival of the first `delta`, which every answer has, in milliseconds. */
async function firstDelta({ headers, url }: Visitor, question: string): Promise<number> {
  const began = performance.now()
  const { body } = await request(`${url}/agent/query`, {
    method: 'POST',
    headers: { ...headers, 'content-type': 'application/json', accept: 'text/event-stream' },
    body: JSON.stringify({ user_request: question }),
  })
  let first = 0
  const decoder = new TextDecoder()
  let heard = ''
  for await (const part of body) {
    heard += decoder.decode(part, { stream: true })
    if (!first && heard.includes('event: delta')) first = performance.now()
  }
  if (!first) throw new Error(`A stream said nothing: ${heard.slice(0, 200)}`)
  return first - began
}
