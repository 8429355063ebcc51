// The sealed audit log. Five times a second one auth replica, the holder of the lease, takes what is new in the stream, chains it, signs
// the batch and appends it to a segment on disk; the head is kept in Redis too, so that neither side can be rolled back unseen. What is
// not sealed yet is the window in which a change of the stream itself would go unnoticed: less than a second, also when the replica that
// seals dies and another one takes over; and as long as no auth runs at all, from then until one does.
import { randomUUID } from 'node:crypto'
import { AUDIT_STREAM } from '../platform/audit.ts'
import { type Redis, script, WHEN_FULL } from '../platform/redis.ts'
import { openAuditKey } from './audit-key.ts'
import { openPages } from './audit-pages.ts'
import { openDelete } from './fields.ts'
import type { Wrap } from './secrets.ts'
import { type Entry, earlier, emptyHead, entryOf, type Head, openSegments, type Seal } from './segments.ts'
import { sharing } from './turns.ts'

const SEAL_EVERY_MS = 200
/** One interval more is the longest until another replica seals in place of a dead one; a busy machine has the rest of the second. */
const LEASE_MS = 400
/** Looks of one verification at what another replica may just be writing. */
const LOOKS_MAX = 3
/** Events sealed in one batch. */
const BATCH_MAX = 1000
/** Sealed events that stay in Redis for quick reading. */
const RECENT_MAX = 50_000

const HEAD = '{audit}:head'
const LEASE = '{audit}:lease'

/** Returns 0 when another holds it, 1 when it is taken now, 2 when it was held all along. */
const TAKE_LEASE = `${WHEN_FULL}
local holder = redis.call('GET', KEYS[1])
if holder and holder ~= ARGV[1] then return 0 end
redis.call('SET', KEYS[1], ARGV[1], 'PX', ARGV[2])
return holder and 2 or 1`
const HELD = 2

/** Sets the head unless one further on is known. ARGV: the head, its number. */
const ADVANCE = `${WHEN_FULL}
local known = redis.call('GET', KEYS[1])
if not known or cjson.decode(known).seq < tonumber(ARGV[2]) then redis.call('SET', KEYS[1], ARGV[1]) end
return 1`

/**
 * Trims what was sealed long ago, but for a backlog: where a whole batch waits, the last event sealed could be among what goes, and with it
 * what was never sealed. ARGV: the last event sealed, how many are a batch, how many stay.
 */
const TRIM = `
local waiting = redis.call('XRANGE', KEYS[1], '(' .. ARGV[1], '+', 'COUNT', ARGV[2])
if #waiting == tonumber(ARGV[2]) then return 0 end
return redis.call('XTRIM', KEYS[1], 'MAXLEN', '~', ARGV[3])`

interface Verdict {
  valid: boolean
  entries: number
  first_bad: { seq: number; problem: string } | null
}

interface AuditAlarms {
  /** Something could not be sealed now; it is tried again. */
  onError(error: unknown): void
  /** Redis has lost what was sealed, while this process ran: nothing it says can be trusted any more. */
  onOlder(error: Error): void
}

/** Opens the log in `dir` and keeps sealing until closed. */
export async function openAuditLog(redis: Redis, wrap: Wrap, dir: string, { onError, onOlder }: AuditAlarms) {
  const takeLease = script(redis, 'take_audit_lease', TAKE_LEASE)
  const giveUpLease = openDelete(redis)
  const advance = script(redis, 'advance_audit_head', ADVANCE)
  const trim = script(redis, 'trim_audit', TRIM)
  const segments = openSegments(dir)
  const key = await openAuditKey(redis, wrap)
  const me = randomUUID()

  const headInRedis = async (): Promise<Head> => JSON.parse((await redis.get(HEAD)) ?? JSON.stringify(emptyHead)) as Head

  /** Where to go on: the disk is ahead of Redis when a crash fell between the two. */
  async function resume(): Promise<Head> {
    const [inRedis, onDisk] = [await headInRedis(), await segments.recover()]
    return onDisk && onDisk.seq > inRedis.seq && key.genuine(onDisk) ? onDisk : inRedis
  }

  let head: Head | undefined
  async function seal(): Promise<void> {
    const lease = Number(await takeLease([LEASE], [me, LEASE_MS]))
    if (lease !== HELD) head = undefined
    if (lease === 0) return
    head ??= await resume()
    if (!(await holds(redis, head))) return onOlder(new Error(OLDER_REDIS))
    const entries = (await redis.xrange(AUDIT_STREAM, `(${head.id}`, '+', 'COUNT', BATCH_MAX)).map(entryOf)
    if (entries.length === 0) return
    const next = segments.chain(head, entries)
    const signed = key.seal(head.seq, next.head)
    head = undefined
    // Where another replica has written meanwhile, the next tick goes on from what it wrote.
    if (await segments.append(next.lines, signed)) {
      await advance([HEAD], [JSON.stringify(next.head), next.head.seq])
      head = next.head
      if (entries.length === BATCH_MAX) return seal()
      await trim([AUDIT_STREAM], [next.head.id, BATCH_MAX, RECENT_MAX])
    }
  }

  const tick = sharing(() => seal().catch(onError))
  const timer = setInterval(tick, SEAL_EVERY_MS)

  return {
    /** Events newest first. */
    read: openPages(redis, segments),

    /** Checks every link, seal and head, and the events Redis still holds against what was sealed of them. */
    verify: sharing(async (): Promise<Verdict> => {
      for (let looks = 1; ; looks++) {
        const { known, ...verdict } = await look()
        // What lies beyond the head may be a batch that another replica is just writing: by the next look it is whole.
        if (!verdict.first_bad || verdict.first_bad.seq <= known || looks === LOOKS_MAX) return verdict
      }
    }),

    /** The signed head, and the public key (SPKI PEM) that checks it. */
    async head(): Promise<Seal & { public_key: string }> {
      const now = await headInRedis()
      return { ...key.seal(now.seq, now), public_key: key.pem }
    },

    async close() {
      clearInterval(timer)
      await tick()
      try {
        await giveUpLease(LEASE, me)
      } catch (error) {
        onError(error)
      }
    },
  }

  /** One walk over the whole log; `known` is the number of the head that was recorded before it began. */
  async function look(): Promise<Verdict & { known: number }> {
    await tick()
    const heads = [await headInRedis(), (await segments.head()) ?? emptyHead]
    const known = Math.max(...heads.map(({ seq }) => seq))
    const recent = new Map<string, string>()
    for await (const { id, text } of oldestFirst()) recent.set(id, text)
    const oldest = recent.keys().next().value ?? '99999999999999-0'
    const faults: { seq: number; problem: string }[] = []
    const { head: found, bad } = await segments.check(key.genuine, ({ seq, hash, id, text }) => {
      if (seq > known) return
      if (!earlier(id, oldest) && recent.get(id) !== text)
        faults.push({ seq, problem: 'the stream no longer holds what was sealed' })
      if (heads.some(head => head.seq === seq && head.hash !== hash))
        faults.push({ seq, problem: 'the recorded head names another entry' })
    })
    if (bad) faults.push(bad)
    if (known > found.seq) faults.push({ seq: found.seq + 1, problem: 'the log ends before its recorded head' })
    const [first = null] = faults.toSorted((a, b) => a.seq - b.seq)
    return { valid: first === null, entries: found.seq, first_bad: first, known }
  }

  async function* oldestFirst(): AsyncGenerator<Entry> {
    let from = '0-0'
    while (true) {
      const page = (await redis.xrange(AUDIT_STREAM, `(${from}`, '+', 'COUNT', BATCH_MAX)).map(entryOf)
      yield* page
      from = page.at(-1)?.id ?? from
      if (page.length < BATCH_MAX) return
    }
  }
}

const OLDER_REDIS =
  'Redis holds less than the audit log on disk says it once did, so sessions that were ended may look alive. ' +
  'Restore the newer Redis data; or, to start anew, empty Redis and move the audit folder (AUDIT_DIR) away.'

/**
 * Throws where Redis has lost what the disk shows it once held: it could have forgotten a revocation as well. A Redis that was cut loses
 * its end, so the last event sealed stands for all before it, whatever came to the stream since.
 */
export async function refuseOlderRedis(redis: Redis, dir: string) {
  const onDisk = await openSegments(dir).last()
  if (onDisk && !(await holds(redis, onDisk))) throw new Error(OLDER_REDIS)
}

/** Does the stream hold the last event of `head`? Only older ones are ever trimmed. */
async function holds(redis: Redis, { seq, id }: Head): Promise<boolean> {
  return seq === 0 || (await redis.xrange(AUDIT_STREAM, id, id)).length > 0
}
