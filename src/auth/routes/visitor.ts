// Who is at the door, as the domain wants to know it.
import type { FastifyRequest } from 'fastify'
import { limitAddress } from '../../platform/limits.ts'
import type { Visitor } from '../accounts.ts'

export function visitorOf(request: FastifyRequest): Visitor {
  return {
    address: request.ip,
    network: limitAddress(request),
    agent: String(request.headers['user-agent'] ?? ''),
    audit: event => request.server.audit(request, event),
  }
}
