// How what matters is told: it is in the audit stream before it takes effect, so none of it happens unrecorded. What ends credentials is
// there once more when it has, so that a Redis which holds the end of the log holds all that the log says was ended.
import type { FastifyInstance, FastifyRequest } from 'fastify'
import type { AuditEvent } from './audit.ts'
import { Failure } from './errors.ts'

export interface Teller {
  /** Stores an event of what is about to happen; rejects when it could not be stored, and then it must not happen. */
  audit(event: AuditEvent): Promise<void>
  /** Stores an event of what has happened; where that fails only the log says so, for what was done cannot be refused any more. */
  note(event: AuditEvent): Promise<void>
}

/** Tells what `request` does, or what the service does by itself. */
export function tellerOf(app: FastifyInstance, request: FastifyRequest | null): Teller {
  const { log } = request ?? app
  return {
    audit: event => app.audit(request, event),
    note: event =>
      app.audit(request, event).catch(error => log.error({ err: error, event }, 'an audit event could not be stored')),
  }
}

/** Tells a step and takes it. Where it is refused after all that is told too; where it fails, nobody knows whether it was taken. */
export async function telling<T>(teller: Teller, step: Omit<AuditEvent, 'outcome'>, take: () => Promise<T>): Promise<T> {
  await teller.audit({ ...step, outcome: 'allowed' })
  try {
    return await take()
  } catch (error) {
    if (error instanceof Failure) await teller.note({ ...step, outcome: 'denied', detail: error.code })
    throw error
  }
}

/** The same for a step that ends credentials; told once more when it has. */
export async function ending<T>(
  teller: Teller,
  step: Omit<AuditEvent, 'outcome'>,
  end: () => Promise<T>,
  action: 'sessions_end' | 'api_key_end' = 'sessions_end',
): Promise<T> {
  const done = await telling(teller, step, end)
  await teller.note({ action, outcome: 'allowed', target: step.target, detail: step.action })
  return done
}
