// Who holds something of a document: an index from each document to the runs and conversations that quote it, whoever's they are.
//
// The writer notes a holding before it writes, and looks for the mark of an erasure afterwards; the eraser marks first and reads the notes
// afterwards. So whichever comes first, one of the two sees the other and nothing erased stays. For a writer that dies before it has looked,
// the eraser comes again once no run can be left that began before the mark.
import { openWhenFull, type Redis, script } from '../platform/redis.ts'
import { RUN_MS_MAX } from './runs.ts'

/** How long a mark is kept, in milliseconds: far longer than any run. */
const MARK_MS = 86_400_000
/** When the eraser comes again, in milliseconds after the mark; and how many documents it then takes at once. */
const AGAIN_MS = RUN_MS_MAX + 60_000
const AGAIN_MAX = 100
/** Erased documents by when the eraser is to come again. */
const AGAIN = 'erased_again'

/** A run, a conversation, or all conversations of a user: notes name them together, so that they are not more with every question. */
export interface Holding {
  kind: 'run' | 'conversation' | 'conversations'
  userId: string
  /** Of the run or the conversation. */
  id?: string
}

// KEYS: notes of a document. ARGV: of each holding its name and the ms it is held for. Holdings past their time go, so the notes stay as
// few as what is held.
const NOTE = `
local time = redis.call('TIME')
local now = time[1] * 1000 + math.floor(time[2] / 1000)
redis.call('ZREMRANGEBYSCORE', KEYS[1], '-inf', now)
local left = redis.call('PTTL', KEYS[1])
for i = 1, #ARGV, 2 do
  redis.call('ZADD', KEYS[1], 'GT', now + ARGV[i + 1], ARGV[i])
  left = math.max(left, tonumber(ARGV[i + 1]))
end
redis.call('PEXPIRE', KEYS[1], left)
return 1`

export type Holdings = ReturnType<typeof openHoldings>

export function openHoldings(redis: Redis) {
  const note = script(redis, 'note_holding', NOTE)
  const whenFull = openWhenFull(redis)
  const notesKey = (documentId: string) => `cited:{${documentId}}`
  const markKey = (documentId: string) => `erased:{${documentId}}`

  return {
    /**
     * Makes the function that notes, before it is written, that something of documents will be held, by each holder for up to `heldMs`;
     * each is noted once.
     */
    noting(holders: { by: Holding; heldMs: number }[]): (documents: string[]) => Promise<unknown> {
      const held = holders.flatMap(({ by: { kind, userId, id }, heldMs }) => [
        [kind, userId, id].filter(Boolean).join(' '),
        heldMs,
      ])
      const known = new Set<string>()
      return documents => {
        const unknown = [...new Set(documents)].filter(one => !known.has(one))
        for (const one of unknown) known.add(one)
        return Promise.all(unknown.map(one => note([notesKey(one)], held)))
      }
    },

    /** Those of the documents that have been erased within the last day. */
    async erased(documents: string[]): Promise<string[]> {
      const marks = await Promise.all(documents.map(one => redis.exists(markKey(one))))
      return documents.filter((_, at) => marks[at] === 1)
    },

    /** Marks a document as erased and gives everything that holds some of it. */
    async take(documentId: string): Promise<Holding[]> {
      await whenFull('SET', markKey(documentId), '1', 'PX', MARK_MS)
      const notes = await redis.zrange(notesKey(documentId), '0', '-1')
      return notes.map(one => {
        const [kind, userId = '', id] = one.split(' ')
        return { kind: kind as Holding['kind'], userId, id }
      })
    },

    /** Has the document come up again later; to be called before its erasure counts as done. */
    again: (documentId: string) => whenFull('ZADD', AGAIN, Date.now() + AGAIN_MS, documentId),

    /** Documents that were erased long enough ago for no run to be left that did not see it. */
    due: () => redis.zrange(AGAIN, '-inf', String(Date.now()), 'BYSCORE', 'LIMIT', 0, AGAIN_MAX),

    /** Forgets a document, once everything has let go of it for good. */
    async drop(documentId: string) {
      await redis.del(notesKey(documentId))
      await redis.zrem(AGAIN, documentId)
    },
  }
}
