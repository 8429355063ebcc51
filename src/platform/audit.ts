// The audit stream: who did what to what, from where, with which outcome. One event is one XADD; an action that must not happen
// unrecorded waits for it and fails when it cannot be stored.
import type { FastifyInstance } from 'fastify'
import type { ServiceName } from './health.ts'

/** The Redis stream all services write to and auth seals. */
export const AUDIT_STREAM = 'audit:{audit}:events'
/** Events kept in Redis, about; a bound, not an aim. */
const EVENTS_MAX = 1_000_000

export interface AuditEvent {
  action: string
  outcome: 'allowed' | 'denied'
  /** Who did it, when that is not the caller of the request (a login, say). */
  user_id?: string
  /** What it was done to. */
  target?: string
  /** One short word more: a reason, a role. Never a secret. */
  detail?: string
}

declare module 'fastify' {
  interface FastifyInstance {
    /** Stores an event; rejects when it could not be stored. `request` tells the caller, the address and the request id. */
    audit(request: FastifyRequest | null, event: AuditEvent): Promise<void>
  }
}

export function registerAudit(app: FastifyInstance, service: ServiceName) {
  app.decorate('audit', async (request, event) => {
    const whole = {
      ...event,
      user_id: event.user_id ?? request?.caller?.user_id ?? null,
      key_id: request?.caller?.key_id,
      address: request?.ip ?? null,
      request_id: request?.id ?? null,
      service,
    }
    await app.redis.xadd(AUDIT_STREAM, 'MAXLEN', '~', EVENTS_MAX, '*', 'event', JSON.stringify(whole))
  })
}
