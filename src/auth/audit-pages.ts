// The audit log page by page, newest first: what Redis still holds, and before that the segments on disk.
import { AUDIT_STREAM } from '../platform/audit.ts'
import type { Redis } from '../platform/redis.ts'
import type { AuditRecord } from './schemas.ts'
import { type Entry, earlier, entryOf, type Segments } from './segments.ts'

/** Events read from Redis at once. */
const READ_MAX = 1000
/** Events looked at for one page of a filtered reading. */
const SCANNED_MAX = 20_000
/** Stream ids before and after all there can be. */
const FIRST_ID = '0-1'
const BEYOND_ID = '999999999999999-0'

export interface AuditFilter {
  user_id?: string
  action?: string
  outcome?: string
  since?: string
  until?: string
  cursor?: string
  limit: number
}

/** Makes the function that reads; `next_cursor` continues where its page ended. */
export function openPages(redis: Redis, segments: Segments) {
  return async (filter: AuditFilter): Promise<{ events: AuditRecord[]; next_cursor: string | null }> => {
    const { since, until, cursor = BEYOND_ID, limit } = filter
    const sinceMs = since === undefined ? 0 : msOf(since)
    const untilMs = until === undefined ? Number.POSITIVE_INFINITY : msOf(until)
    const events: AuditRecord[] = []
    let scanned = 0
    let last = cursor
    for await (const entry of newestFirst(cursor)) {
      if (events.length === limit || ++scanned > SCANNED_MAX) return { events, next_cursor: last }
      last = entry.id
      const ms = Number.parseInt(entry.id, 10)
      if (ms < sinceMs) break
      if (ms > untilMs) continue
      const event = recorded(entry)
      if (fits(event, filter)) events.push(event)
    }
    return { events, next_cursor: null }
  }

  async function* newestFirst(before: string): AsyncGenerator<Entry> {
    let from = before
    // Redis refuses to look before the first id there can be.
    while (earlier(FIRST_ID, from)) {
      const page = (await redis.xrevrange(AUDIT_STREAM, `(${from}`, '-', 'COUNT', READ_MAX)).map(entryOf)
      yield* page
      from = page.at(-1)?.id ?? from
      if (page.length < READ_MAX) break
    }
    yield* segments.backwards(from)
  }
}

function recorded({ id, text }: Entry): AuditRecord {
  return { id, time: new Date(Number.parseInt(id, 10)).toISOString(), ...(JSON.parse(text) as Omit<AuditRecord, 'id' | 'time'>) }
}

function fits(event: AuditRecord, { user_id, action, outcome }: AuditFilter): boolean {
  return (
    (!user_id || event.user_id === user_id) && (!action || event.action === action) && (!outcome || event.outcome === outcome)
  )
}

/** Milliseconds since 1970 of a time by RFC 3339: in either case, with an offset, a leap second, or a zone in brackets behind it (RFC 9557). */
function msOf(time: string): number {
  const [plain = ''] = time.split('[')
  // A leap second is the first moment of the minute that follows, as the clock counts.
  const leap = plain.slice(17, 19) === '60'
  return leap ? Date.parse(`${plain.slice(0, 17)}59${plain.slice(19)}`) + 1000 : Date.parse(plain)
}
