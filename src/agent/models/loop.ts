// The tool loop: a model is asked, the tools it calls run as the caller, their results go back, until it answers. Bounded in steps, time and
// tokens, with an eye on repetitions; what it calls wrongly does not run and is told to it; what it says is cut into statements, and those
// that must rest on a document are given on only with the bytes they rest on.
import Value from 'typebox/value'
import type { Passage } from '../../contracts/search.ts'
import { asFailure } from '../../platform/errors.ts'
import { seen, shown } from '../segments.ts'
import type { Tool } from '../tools/tool.ts'
import type { Answerer, Statement, Work } from './answerer.ts'
import { type Block, openBlocks } from './blocks.ts'
import { type Bounds, metered } from './meter.ts'
import { Broken, type Call, type Model } from './model.ts'
import { ABSENT, fenced, promptOf, quoted } from './prompt.ts'
import { numbersOf, proven } from './proof.ts'
import { openProvenance } from './provenance.ts'

/** Most turns with tools; the one after them has to answer. */
const STEPS_MAX = 6
const CALLS_PER_TURN_MAX = 4
/** Calls that were made before with the same arguments, after which tools are taken away. */
const REPEATS_MAX = 2
/** No tool is offered once a loop has taken this long, in milliseconds, or this many tokens. */
const LOOP_MS_MAX = 45_000
const LOOP_TOKENS_MAX = 60_000
/** Longest result of a tool a model is given, in characters. */
const RESULT_CHARS_MAX = 16_000
/** Longest arguments that are looked at, in characters. */
const ARGUMENTS_CHARS_MAX = 8_000

/** Makes a model an answerer. `promptTokensMax` is what its first prompt may hold, about. */
export function looped(model: Model, promptTokensMax: number, bounds: Bounds): Answerer {
  return {
    name: model.name,
    async *answer(asked, work) {
      const { messages, shown: passages } = promptOf(asked, promptTokensMax)
      const provenance = openProvenance([asked.question, ...asked.earlier])
      provenance.readPassages(passages)
      const known = numbersOf([asked.question, ...asked.earlier].join(' '))
      const made = new Set<string>()
      const began = performance.now()
      let tokens = 0
      const metering: Work = {
        ...work,
        spend(usage) {
          tokens += usage.input_tokens + usage.output_tokens
          work.spend(usage)
        },
      }
      let repeats = 0
      let usedOther = false
      let saidSomething = false

      for (let step = 0; ; step += 1) {
        const mayCall =
          step < STEPS_MAX && repeats <= REPEATS_MAX && performance.now() - began < LOOP_MS_MAX && tokens < LOOP_TOKENS_MAX
        const tools = mayCall ? asked.tools : []
        const isFree = asked.ground === 'none' || (asked.ground === 'first' && usedOther)
        const blocks = openBlocks(asked.ground === 'none')
        const calls: Call[] = []
        let text = ''
        let isCut = false
        const judged = (cut: Iterable<Block>) => {
          const statements = [...cut].flatMap(({ sentences, marks }) => {
            const block = {
              sentences: sentences.map(provenance.withoutNewAddresses),
              marks: model.isUnmarked ? passages.map((_, at) => at + 1) : marks,
            }
            return [...statementsOf(block, passages, known, isFree)]
          })
          saidSomething ||= statements.length > 0
          return statements
        }
        for await (const piece of metered(model, { messages, tools, outputTokensMax: asked.outputTokensMax }, metering, bounds)) {
          if ('text' in piece) {
            text += piece.text
            yield judged(blocks.push(piece.text))
          } else if ('call' in piece) calls.push(piece.call)
          else isCut = true
        }
        yield judged(blocks.end())
        if (calls.length === 0 || tools.length === 0) {
          if (!saidSomething && ABSENT.test(text)) yield ['absent']
          else if (!saidSomething) throw new Broken(isCut ? 'too_long' : text.trim() === '' ? 'unusable' : 'unsupported')
          if (isCut) yield ['cut']
          return
        }

        messages.push({ role: 'assistant', text, calls })
        for (const [at, call] of calls.entries()) {
          const asText = at < CALLS_PER_TURN_MAX ? await carriedOut(call) : told('Too many calls at once; this one was not made')
          messages.push({ role: 'tool', call, text: asText })
        }
      }

      /** Runs one call, if it may run, and says what the model is told of it. */
      async function carriedOut(call: Call): Promise<string> {
        const tool = asked.tools.find(({ name }) => name === call.name)
        const { fault, given } = faultOf(call, tool)
        const key = `${call.name} ${JSON.stringify(given)}`
        if (made.has(key)) {
          repeats += 1
          return told('This call was made before; its result stands above')
        }
        if (!tool || fault) {
          repeats += Number(!tool)
          return told(fault ?? 'There is no such tool')
        }
        const foreign = provenance.foreign(tool, given)
        if (foreign !== undefined)
          return told('An argument repeats a document. Use the words of the person who asks, and no others')
        made.add(key)
        return ran(tool, given as Record<string, unknown>)
      }

      async function ran(tool: Tool, given: Record<string, unknown>): Promise<string> {
        const since = performance.now()
        const step = (ok: boolean) => ({ tool: tool.name, arguments: given, ok, ms: Math.round(performance.now() - since) })
        try {
          const { text, passages: found, failed } = await tool.run(given, work.context)
          work.signal.throwIfAborted()
          work.took(step(!failed), found)
          if (found) return numbered(found)
          const result = seen(text).slice(0, RESULT_CHARS_MAX)
          usedOther = true
          provenance.read(result)
          for (const number of numbersOf(result)) known.add(number)
          return told(result)
        } catch (error) {
          if (work.signal.aborted) throw error
          work.took(step(false))
          const { code, message } = asFailure(error)
          provenance.read(message)
          return told(`${code}: ${message}`)
        }
      }

      /** Adds passages to those that may be cited, with the numbers that follow. */
      function numbered(found: Passage[]): string {
        const lines: string[] = []
        let room = RESULT_CHARS_MAX
        for (const passage of found) {
          const line = quoted(passage, passages.length + 1)
          room -= line.length
          if (room < 0) break
          passages.push(passage)
          provenance.readPassages([passage])
          lines.push(line)
        }
        return lines.length > 0 ? lines.join('\n') : told('Nothing was found')
      }
    },
  }
}

/** Why a call may not run; the arguments as they were understood. */
function faultOf({ given, fault }: Call, tool?: Tool): { fault?: string; given: unknown } {
  if (fault) return { fault, given }
  if (JSON.stringify(given ?? null).length > ARGUMENTS_CHARS_MAX) return { fault: 'The arguments are too long', given: null }
  const [wrong] = tool ? Value.Errors(tool.parameters, given) : []
  return wrong ? { fault: `The arguments are not valid: ${wrong.instancePath || '/'} ${wrong.message}`, given } : { given }
}

const told = (text: string) => fenced({ result: text })

/** What of a block may be said: with proof where a marker names a passage that bears it, and without only when that is `isFree`. */
function* statementsOf(
  { sentences, marks }: Block,
  passages: Passage[],
  known: Set<string>,
  isFree: boolean,
): Generator<Statement> {
  const named = [...new Set(marks)].flatMap(n => passages[n - 1] ?? [])
  for (const sentence of sentences) {
    const claim = proven(sentence.trimStart(), named, known)
    if (claim) yield { ...claim, text: `${/^\n*/.exec(sentence)?.[0] ?? ''}${claim.text}` }
    else if (isFree && !ABSENT.test(sentence)) yield { text: shown(sentence) }
  }
}
