// Who is at the door, as the domain wants to know it.
import type { FastifyRequest } from 'fastify'
import { failure } from '../../platform/errors.ts'
import { limitAddress } from '../../platform/limits.ts'
import { tellerOf } from '../../platform/telling.ts'
import type { Visitor } from '../accounts.ts'

export function visitorOf(request: FastifyRequest): Visitor {
  return {
    address: request.ip,
    network: limitAddress(request),
    agent: String(request.headers['user-agent'] ?? ''),
    ...tellerOf(request.server, request),
  }
}

/** The session of a caller who signed in. An API key is refused: whoever finds one must not make others of it or lock its owner out. */
export function signedIn({ caller }: FastifyRequest): { user_id: string; session_id: string } {
  const { user_id, session_id } = caller
  if (!session_id) throw failure('forbidden', 'An API key cannot do this; sign in with the password')
  return { user_id, session_id }
}
