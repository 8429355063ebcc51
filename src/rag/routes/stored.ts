// What the routes that take documents in share: each document that was taken is told to the audit log.
import type { FastifyRequest } from 'fastify'
import { accepted, type Uploaded } from '../uploads.ts'

/** Stores one event per document that was accepted. */
export async function tellStored(request: FastifyRequest, uploaded: Uploaded) {
  const tell = (id: string) => request.server.audit(request, { action: 'document_store', outcome: 'allowed', target: id })
  await Promise.all(accepted(uploaded).map(({ id }) => tell(id)))
}
