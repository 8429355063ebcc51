// What a run writes down on its way: its begin, who holds something of which document, and its events, in this order. One connection
// keeps the order, so nothing waits for what was sent before it, and what nobody follows is gathered and sent together.
import type { Progress } from './answer.ts'
import { NOTED_MS } from './conversations.ts'
import type { Holding, Holdings } from './holdings.ts'
import { HELD_MS, type Runs, type Told } from './runs.ts'

/** What nobody follows is written after this long, in milliseconds, or with the end: a quick answer is written at once. */
const GATHER_MS = 50

interface Entry {
  userId: string
  ask: { question: string }
  conversation?: { id: string }
  /** Whether its events are read as they come. */
  isFollowed: boolean
}

export type Journal = ReturnType<typeof openJournal>

/** Opens the journal of run `id`; one that is followed is begun at once. What cannot be written is told by `lost` and `flush`. */
export function openJournal(runs: Runs, holdings: Holdings, id: string, { userId, ask, conversation, isFollowed }: Entry) {
  const own: Holding = { kind: 'run', userId, id }
  const keeper: Holding | undefined = conversation && { kind: 'conversation', userId, id: conversation.id }
  const noted = keeper ? [{ by: { kind: 'conversations', userId } as const, heldMs: NOTED_MS }] : []
  const note = holdings.noting([{ by: own, heldMs: HELD_MS }, ...noted])
  const waiting: Told[] = []
  const held = new Set<string>()
  let written: Promise<unknown> = Promise.resolve()
  let begun: Promise<unknown> | undefined
  let lost: unknown

  function write(one: Promise<unknown>) {
    one.catch(error => {
      lost ??= error
    })
    written = Promise.allSettled([written, one]).then(() => {}) // what the others gave is let go of
    return one
  }

  /** Sends what has been gathered. Each document is noted before anything of it is written. */
  function send() {
    clearTimeout(timer)
    begun ??= write(runs.begin(userId, id, conversation?.id ?? '', ask.question))
    const events = waiting.splice(0)
    if (events.length === 0) return
    hold(events.flatMap(({ documents }) => documents))
    write(runs.tell(userId, id, events))
  }

  function hold(documents: string[]) {
    for (const one of documents) held.add(one)
    write(note(documents))
  }

  const timer = setTimeout(send, GATHER_MS)
  if (isFollowed) send()

  return {
    /** The documents of which something was written, and who holds it. */
    held,
    holders: keeper ? [own, keeper] : [own],

    tell(progress: Progress, documents: string[]) {
      waiting.push({ ...progress, documents })
      if (begun) queueMicrotask(send)
    },

    hold,

    /** What kept something from being written until now. */
    get lost() {
      return lost
    },

    /** Resolves once the run has begun; at once when that is still to be sent. */
    get begun() {
      return begun
    },

    /** Sends what has been gathered; resolves once all has been written, and rejects when something was not. */
    async flush() {
      send()
      await written
      if (lost) throw lost
    },
  }
}
