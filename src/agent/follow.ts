// A run as it happens, from any event on: what was kept is told again, what comes is told as it comes. It ends after the run's last
// event, when the follower is signed out, and, to be taken up elsewhere, when this process has to go.
import { lastWords } from './endings.ts'
import type { RunEvent, Runs } from './runs.ts'

/** Longest time between two looks at a run that another process carries out, in milliseconds. */
const LOOK_MS = 200
/** Silence after which a sign of life is given, in milliseconds. */
const HEARTBEAT_MS = 5000

export interface Follower {
  userId: string
  runId: string
  /** Id of the last event seen. */
  after?: string
  /** Aborted when the client leaves or is signed out, or this process has to go. */
  until: AbortSignal
}

/** The events of a run, and nothing now and then, while there is nothing to tell. */
export async function* follow(runs: Runs, { userId, runId, after = '-', until }: Follower): AsyncGenerator<RunEvent | undefined> {
  let last = after
  let spoke = performance.now()
  const bell = runs.listen(runId)
  try {
    while (!until.aborted) {
      // Sent at once and done in this order: a run seen as ended has written its last event.
      const [run, events] = await Promise.all([runs.one(userId, runId), runs.events(userId, runId, last)])
      for (const event of events) {
        const ended = event.data || run.ending ? run : await runs.one(userId, runId)
        yield event.data ? event : { ...event, data: JSON.stringify(lastWords(ended)) }
        last = event.id
        spoke = performance.now()
      }
      if (events.length > 0) continue
      if (run.state !== 'running') return
      const quietMs = Math.max(1, HEARTBEAT_MS - (performance.now() - spoke))
      await bell.wait(runs.isHere(runId) ? quietMs : Math.min(LOOK_MS, quietMs), until)
      if (performance.now() - spoke >= HEARTBEAT_MS) {
        yield undefined
        spoke = performance.now()
      }
    }
  } finally {
    bell.close()
  }
}

/** The events as they go over the wire (WHATWG HTML, 9.2). */
export async function* serverSent(events: AsyncIterable<RunEvent | undefined>): AsyncGenerator<string> {
  for await (const one of events) yield one ? `id: ${one.id}\nevent: ${one.event}\ndata: ${one.data}\n\n` : HEARTBEAT
}

/** A comment, which clients pass over. */
export const HEARTBEAT = ': alive\n\n'
