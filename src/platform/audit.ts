// The audit stream: who did what to what, from where, with which outcome. One event is one XADD; an action that must not happen
// unrecorded waits for it and fails when it cannot be stored. A full Redis stores it all the same, since what makes room is recorded too.
// Refusals and key use are told once per caller and minute, with a count; a refusal is a right that lacks, a limit that is used up, or a
// credential that opens nothing.
import type { FastifyInstance, FastifyRequest } from 'fastify'
import type { ServiceName } from './health.ts'
import { limitAddress } from './limits.ts'
import { openWhenFull } from './redis.ts'

/** The Redis stream all services write to and auth seals. */
export const AUDIT_STREAM = 'audit:{audit}:events'
/** Events kept in Redis, about; a bound, not an aim: the sealer takes them to disk five times a second. */
const EVENTS_MAX = 1_000_000
const MINUTE_MS = 60_000
/** Callers counted at once, and addresses without one; beyond it, repetitions of new ones go untold until the minute ends. */
const REPEATED_MAX = 10_000
/** Repetitions told together; requests that come meanwhile wait for no more of them. */
const TOLD_AT_ONCE = 100

export interface AuditEvent {
  action: string
  outcome: 'allowed' | 'denied'
  /** Who did it, when that is not the caller of the request (a login, say). */
  user_id?: string
  /** Of which request, when there is none at hand. */
  request_id?: string
  /** What it was done to. */
  target?: string
  /** One short word more: a reason, a role. Never a secret. */
  detail?: string
  /** How often it was repeated within the minute after it was first told. */
  count?: number
}

declare module 'fastify' {
  interface FastifyInstance {
    /** Stores an event; rejects when it could not be stored. `request` tells the caller, the address and the request id. */
    audit(request: FastifyRequest | null, event: AuditEvent): Promise<void>
  }
}

/** An event that was told, and how often it has come again since. */
interface Repeated {
  event: object
  count: number
}

export function registerAudit(app: FastifyInstance, service: ServiceName) {
  const whenFull = openWhenFull(app.redis)
  const store = (event: object) => whenFull('XADD', AUDIT_STREAM, 'MAXLEN', '~', EVENTS_MAX, '*', 'event', JSON.stringify(event))
  const whole = (request: Parameters<typeof app.audit>[0], event: AuditEvent) => ({
    ...event,
    user_id: event.user_id ?? callerOf(request)?.user_id ?? null,
    key_id: callerOf(request)?.key_id,
    address: request?.ip ?? null,
    request_id: request?.id ?? event.request_id ?? null,
    service,
  })
  app.decorate('audit', async (request, event) => void (await store(whole(request, event))))

  const repeated = { callers: new Map<string, Repeated>(), addresses: new Map<string, Repeated>() }
  const lost = (error: unknown) => app.log.error({ err: error }, 'an audit event could not be stored')
  app.addHook('onResponse', async (request, reply) => {
    const refused = refusal(request, reply.statusCode)
    if (!refused && callerOf(request)?.credential !== 'api_key') return
    const target = `${request.method} ${request.routeOptions.url ?? ''}`
    const event = whole(request, { action: refused ?? 'api_key_use', outcome: refused ? 'denied' : 'allowed', target })
    // A crowd of addresses does not keep callers from being told.
    const those = event.user_id ? repeated.callers : repeated.addresses
    const key = [event.user_id ?? limitAddress(request), event.key_id, event.action, target].join(' ')
    const known = those.get(key)
    if (known) known.count += 1
    else if (those.size < REPEATED_MAX) {
      those.set(key, { event, count: 0 })
      store(event).catch(lost)
    }
  })
  const tell = async () => {
    const told = Object.values(repeated).flatMap(those => [...those.values()].filter(({ count }) => count > 0))
    for (const those of Object.values(repeated)) those.clear()
    while (told.length > 0) {
      const some = told.splice(-TOLD_AT_ONCE)
      await Promise.all(some.map(({ event, count }) => store({ ...event, count }))).catch(lost)
    }
  }
  const timer = setInterval(tell, MINUTE_MS)
  app.addHook('preClose', async () => {
    clearInterval(timer)
    await tell()
  })
}

/** Who asked; known also where a limit stopped the request before it became the caller's. */
const callerOf = (request: FastifyRequest | null) => request?.caller ?? request?.admitted?.caller

/** What was refused, if that is worth an event. Nobody is refused anything by not having signed in. */
function refusal(request: FastifyRequest, status: number): 'access' | 'limit' | undefined {
  if (status === 429) return 'limit'
  const { headers, routeOptions, is404 } = request
  const closed = !is404 && routeOptions.config.access !== 'public'
  const powerless = status === 401 && closed && headers.authorization && !callerOf(request)
  return status === 403 || powerless ? 'access' : undefined
}
