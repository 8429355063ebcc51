// The sealed audit log. Once a second one auth replica, the holder of the lease, takes what is new in the stream, chains it, signs the
// batch and appends it to a segment on disk; the head is kept in Redis too, so that neither side can be rolled back unseen. What is
// not sealed yet is the window in which a change of the stream itself would go unnoticed: a second, and five more once a replica that
// sealed has died, until its lease ends.
import { createPrivateKey, createPublicKey, generateKeyPairSync, type KeyObject, randomUUID, sign, verify } from 'node:crypto'
import { AUDIT_STREAM } from '../platform/audit.ts'
import { type Redis, script } from '../platform/redis.ts'
import type { AuditRecord } from './schemas.ts'
import type { Wrap } from './secrets.ts'
import { type Entry, earlier, emptyHead, type Head, openSegments, type Seal } from './segments.ts'

const SEAL_EVERY_MS = 1000
const LEASE_MS = 5000
/** Events sealed in one batch. */
const BATCH_MAX = 1000
/** Sealed events that stay in Redis for quick reading. */
const RECENT_MAX = 50_000
/** Events looked at for one page of a filtered reading. */
const SCANNED_MAX = 20_000

const HEAD = '{audit}:head'
const KEY = '{audit}:key'
const LEASE = '{audit}:lease'

const TAKE_LEASE = `
local holder = redis.call('GET', KEYS[1])
if holder and holder ~= ARGV[1] then return 0 end
redis.call('SET', KEYS[1], ARGV[1], 'PX', ARGV[2])
return 1`

const GIVE_UP_LEASE = `if redis.call('GET', KEYS[1]) == ARGV[1] then return redis.call('DEL', KEYS[1]) end return 0`

export interface AuditFilter {
  user_id?: string
  action?: string
  outcome?: string
  since?: string
  until?: string
  cursor?: string
  limit: number
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
  const giveUpLease = script(redis, 'give_up_audit_lease', GIVE_UP_LEASE)
  const segments = openSegments(dir)
  const key = await openKey(redis, wrap)
  const me = randomUUID()

  const headInRedis = async (): Promise<Head> => JSON.parse((await redis.get(HEAD)) ?? JSON.stringify(emptyHead)) as Head

  /** Where to go on: the disk is ahead of Redis when a crash fell between the two. */
  async function resume(): Promise<Head> {
    const [inRedis, onDisk] = [await headInRedis(), await segments.recover()]
    return onDisk && onDisk.seq > inRedis.seq && genuine(key, onDisk) ? onDisk : inRedis
  }

  let head: Head | undefined
  async function seal(): Promise<void> {
    if ((await takeLease([LEASE], [me, LEASE_MS])) !== 1) {
      head = undefined
      return
    }
    head ??= await resume()
    if (!(await holds(redis, head))) return onOlder(new Error(OLDER_REDIS))
    const entries = (await redis.xrange(AUDIT_STREAM, `(${head.id}`, '+', 'COUNT', BATCH_MAX)).map(entryOf)
    if (entries.length === 0) return
    const next = segments.chain(head, entries)
    const signed = signHead(key, head.seq, next.head)
    head = undefined
    await segments.append(next.lines, signed)
    await redis.set(HEAD, JSON.stringify(next.head))
    head = next.head
    await redis.xtrim(AUDIT_STREAM, 'MAXLEN', '~', RECENT_MAX)
    if (entries.length === BATCH_MAX) return seal()
  }

  let running = Promise.resolve()
  const tick = () => {
    running = running.then(seal).catch(onError)
    return running
  }
  const timer = setInterval(tick, SEAL_EVERY_MS)

  return {
    /** Events newest first; `next_cursor` continues where this page ended. */
    async read(filter: AuditFilter): Promise<{ events: AuditRecord[]; next_cursor: string | null }> {
      const events: AuditRecord[] = []
      let scanned = 0
      let last = filter.cursor ?? '99999999999999-0'
      for await (const entry of newestFirst(last)) {
        if (events.length === filter.limit || ++scanned > SCANNED_MAX) return { events, next_cursor: last }
        last = entry.id
        const event = recorded(entry)
        if (fits(event, filter)) events.push(event)
        if (filter.since && event.time < filter.since) break
      }
      return { events, next_cursor: null }
    },

    /** Checks every link, seal and head, and the events Redis still holds against what was sealed of them. */
    async verify(): Promise<{ valid: boolean; entries: number; first_bad: { seq: number; problem: string } | null }> {
      await tick()
      const recent = new Map((await redis.xrange(AUDIT_STREAM, '-', '+')).map(entryOf).map(({ id, text }) => [id, text]))
      const oldest = recent.keys().next().value ?? '99999999999999-0'
      let seq = 0
      let differs: { seq: number; problem: string } | undefined
      const { head: found, bad } = await segments.check(
        one => genuine(key, one),
        ({ id, text }) => {
          seq += 1
          if (!earlier(id, oldest) && recent.get(id) !== text)
            differs ??= { seq, problem: 'the stream no longer holds what was sealed' }
        },
      )
      const [inRedis, onDisk] = [await headInRedis(), await segments.head()]
      const rolledBack = [inRedis, onDisk].some(
        one => (one?.seq ?? 0) > found.seq || (one?.seq === found.seq && one.hash !== found.hash),
      )
      const behind = rolledBack ? { seq: found.seq + 1, problem: 'the log ends before its recorded head' } : undefined
      const first = [bad, differs, behind].filter(one => one !== undefined).toSorted((a, b) => a.seq - b.seq)[0]
      return { valid: first === undefined, entries: found.seq, first_bad: first ?? null }
    },

    /** The signed head, and the public key (SPKI PEM) that checks it. */
    async head(): Promise<Seal & { public_key: string }> {
      const now = await headInRedis()
      return { ...signHead(key, now.seq, now), public_key: key.pem }
    },

    async close() {
      clearInterval(timer)
      await tick()
      try {
        await giveUpLease([LEASE], [me])
      } catch (error) {
        onError(error)
      }
    },
  }

  async function* newestFirst(before: string): AsyncGenerator<Entry> {
    let from = before
    while (true) {
      const page = (await redis.xrevrange(AUDIT_STREAM, `(${from}`, '-', 'COUNT', BATCH_MAX)).map(entryOf)
      yield* page
      from = page.at(-1)?.id ?? from
      if (page.length < BATCH_MAX) break
    }
    yield* segments.backwards(from)
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
  const onDisk = await openSegments(dir).recover()
  if (onDisk && !(await holds(redis, onDisk))) throw new Error(OLDER_REDIS)
}

/** Does the stream hold the last event of `head`? Only older ones are ever trimmed. */
async function holds(redis: Redis, { seq, id }: Head): Promise<boolean> {
  return seq === 0 || (await redis.xrange(AUDIT_STREAM, id, id)).length > 0
}

interface AuditKey {
  kid: string
  private: KeyObject
  public: KeyObject
  pem: string
}

/** The log's own signing key: made once, kept wrapped in Redis. */
async function openKey(redis: Redis, wrap: Wrap): Promise<AuditKey> {
  const made = generateKeyPairSync('ed25519').privateKey.export({ type: 'pkcs8', format: 'der' })
  await redis.set(KEY, wrap.seal('audit', made), 'NX')
  const { plain, stale } = wrap.open('audit', (await redis.get(KEY)) ?? '')
  if (stale) await redis.set(KEY, wrap.seal('audit', plain))
  const privateKey = createPrivateKey({ key: plain, format: 'der', type: 'pkcs8' })
  const publicKey = createPublicKey(privateKey)
  const { x = '' } = publicKey.export({ format: 'jwk' })
  return { kid: x, private: privateKey, public: publicKey, pem: publicKey.export({ type: 'spki', format: 'pem' }).toString() }
}

const signedText = ({ from, seq, hash, id, time }: Omit<Seal, 'signature'>) => Buffer.from([from, seq, hash, id, time].join('\n'))

function signHead(key: AuditKey, from: number, { seq, hash, id }: Head): Seal {
  const plain = { from, seq, hash, id, kid: key.kid, time: Date.now() }
  return { ...plain, signature: sign(null, signedText(plain), key.private).toString('base64url') }
}

function genuine(key: AuditKey, seal: Seal): boolean {
  const signature = Buffer.from(String(seal.signature), 'base64url')
  const spelt = signature.toString('base64url') === seal.signature
  return spelt && seal.kid === key.kid && verify(null, signedText(seal), key.public, signature)
}

function entryOf([id, fields]: [string, string[]]): Entry {
  return { id, text: fields[1] ?? '' }
}

function recorded({ id, text }: Entry): AuditRecord {
  return { id, time: new Date(Number.parseInt(id, 10)).toISOString(), ...(JSON.parse(text) as Omit<AuditRecord, 'id' | 'time'>) }
}

function fits(event: AuditRecord, { user_id, action, outcome, since, until }: AuditFilter): boolean {
  return (
    (!user_id || event.user_id === user_id) &&
    (!action || event.action === action) &&
    (!outcome || event.outcome === outcome) &&
    (!since || event.time >= since) &&
    (!until || event.time <= until)
  )
}
