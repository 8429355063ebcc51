// Rag's end of the stream of erasures: it writes one entry per document erased, tells who has not followed yet, and follows itself: where
// a user is erased, and a document that a snapshot has brought back. Where it has read to is in the catalogue, written after the work, so
// that work is repeated rather than lost.
import { cursorKey, ERASURES_MAX, ERASURES_STREAM, type ErasureEntry, erasureHolders } from '../contracts/erasures.ts'
import { openWhenFull, type Redis } from '../platform/redis.ts'
import type { Catalogue } from './store/catalogue.ts'

interface Parts {
  redis: Redis
  catalogue: Catalogue
  log: { error: (context: object, message: string) => void }
}

interface Erase {
  user: (user: string) => Promise<void>
  /** Nothing happens where it is gone already, as it is unless a snapshot was put back. */
  document: (document: string) => Promise<void>
}

/** Between two looks at the stream, in milliseconds, and entries taken at one look. */
const LOOK_MS = 1000
const ENTRIES = 100
const CURSOR = 'erasures'

export function openErasureStream({ redis, catalogue: { erasures, later }, log }: Parts) {
  let timer: NodeJS.Timeout | undefined
  const whenFull = openWhenFull(redis)
  let looking: Promise<void> = Promise.resolve()

  async function look(erase: Erase) {
    for (;;) {
      const start = erasures.cursor(CURSOR)
      const entries = await redis.xrange(ERASURES_STREAM, start ? `(${start}` : '-', '+', 'COUNT', ENTRIES)
      const last = entries.at(-1)
      if (!last) return
      for (const [, fields] of entries) {
        const { user, document } = read(fields)
        if (document) await erase.document(document)
        else if (user) await erase.user(user)
      }
      await later(() => erasures.moveCursor(CURSOR, last[0]))
      await whenFull('SET', cursorKey('rag'), last[0])
    }
  }

  return {
    /** Appends an entry; gives its id. Rejects while Redis is away. */
    async announce({ user, document, versions }: { user: string; document: string; versions: string[] }): Promise<string> {
      const fields = ['document', document, 'versions', versions.join(','), 'user', user]
      const entry = await whenFull('XADD', ERASURES_STREAM, 'MAXLEN', '~', ERASURES_MAX, '*', ...fields)
      if (!entry) throw new Error('Redis gave the entry no id')
      return String(entry)
    },

    /** The holders of copies that have not read as far as `entry`. */
    async behind(entry: string): Promise<string[]> {
      const read = await redis.mget(...erasureHolders.map(cursorKey))
      return erasureHolders.filter((_, at) => compare(read[at] ?? '0-0', entry) < 0)
    },

    /** Looks at the stream now and again and erases every user and document it names, until `close`. */
    follow(erase: Erase) {
      const again = () => {
        timer = setTimeout(() => {
          looking = look(erase)
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

/** Orders two entry ids, `milliseconds-sequence`. */
function compare(one: string, other: string): number {
  const [ms = 0, sequence = 0] = one.split('-').map(Number)
  const [otherMs = 0, otherSequence = 0] = other.split('-').map(Number)
  return ms - otherMs || sequence - otherSequence
}
