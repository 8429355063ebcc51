// The agent's end of the stream of erasures: from every run and conversation it takes out what came from an erased document, and
// everything of an erased user. The cursor is saved after the work, so that work is repeated rather than lost; replicas may both do it.
import { cursorKey, ERASURES_STREAM, type ErasureEntry } from '../contracts/erasures.ts'
import { type Redis, script, WHEN_FULL } from '../platform/redis.ts'
import type { Budget } from './budget.ts'
import type { Conversations } from './conversations.ts'
import type { Holding, Holdings } from './holdings.ts'
import type { Runs } from './runs.ts'

interface Parts {
  redis: Redis
  holdings: Holdings
  runs: Runs
  conversations: Conversations
  budget: Budget
  log: { error: (context: object, message: string) => void }
}

/** Between two looks at the stream, in milliseconds, and entries taken at one look. */
const LOOK_MS = 500
const ENTRIES = 100

// KEYS: cursor. ARGV: entry id. Moves forward only, so that a slower replica takes nothing back.
const ADVANCE = `${WHEN_FULL}
local function parts(id) local ms, seq = string.match(id, '(%d+)-(%d+)') return tonumber(ms), tonumber(seq) end
local ms, seq = parts(redis.call('GET', KEYS[1]) or '0-0')
local newMs, newSeq = parts(ARGV[1])
if newMs > ms or (newMs == ms and newSeq > seq) then redis.call('SET', KEYS[1], ARGV[1]) end
return 1`

export type Erasures = ReturnType<typeof openErasures>

export function openErasures({ redis, holdings, runs, conversations, budget, log }: Parts) {
  const advance = script(redis, 'advance_cursor', ADVANCE)
  const cursor = cursorKey('agent')
  let timer: NodeJS.Timeout | undefined
  let looking = Promise.resolve()

  const letGo = ({ kind, userId, id }: Holding, documentId: string) =>
    kind === 'run' && id ? runs.forget(userId, id, documentId) : conversations.forget(userId, documentId, id)

  /** Takes what came from the documents out of what the holders hold. */
  async function release(documents: string[], holders: Holding[]) {
    for (const document of documents) for (const holding of holders) await letGo(holding, document)
  }

  async function erase({ user, document }: Partial<ErasureEntry>) {
    if (document) {
      await release([document], await holdings.take(document))
      await holdings.again(document)
    } else if (user) {
      await Promise.all([runs.forgetAll(user), conversations.forgetAll(user), budget.forget(user)])
    }
  }

  async function look() {
    for (;;) {
      const start = await redis.get(cursor)
      const entries = await redis.xrange(ERASURES_STREAM, start ? `(${start}` : '-', '+', 'COUNT', ENTRIES)
      if (entries.length === 0) break
      for (const [id, fields] of entries) {
        await erase(read(fields))
        await advance([cursor], [id])
      }
    }
    for (const document of await holdings.due()) {
      await release([document], await holdings.take(document))
      await holdings.drop(document)
    }
  }

  return {
    release,

    /** Lets go of what was erased while it was being written. */
    settle: async (documents: string[], holders: Holding[]) => release(await holdings.erased(documents), holders),

    /** Follows the stream until `close`. */
    follow() {
      const again = () => {
        timer = setTimeout(() => {
          looking = look()
            .catch(error => log.error({ err: error }, 'the stream of erasures could not be followed'))
            .finally(() => timer && again())
        }, LOOK_MS).unref()
      }
      again()
    },

    async close() {
      clearTimeout(timer)
      timer = undefined
      await looking
    },
  }
}

function read(fields: string[]): Partial<ErasureEntry> {
  return Object.fromEntries(fields.flatMap((name, at) => (at % 2 === 0 ? [[name, fields[at + 1] ?? '']] : [])))
}
