// What the routes that take documents in share: where the first one's job is, and an event in the audit log for each that was taken.
import type { FastifyReply, FastifyRequest } from 'fastify'
import type { Answer } from '../idempotency.ts'
import { accepted, type Uploaded } from '../uploads.ts'

/** Answers with what was made of an upload, once one event per document that was accepted is stored. */
export async function sendStored(request: FastifyRequest, reply: FastifyReply, { status, reply: made }: Answer<Uploaded>) {
  const documents = accepted(made)
  const [first] = documents
  if (first) reply.header('location', `jobs/${first.job_id}`)
  const tell = (id: string) => request.server.audit(request, { action: 'document_store', outcome: 'allowed', target: id })
  if (status === 202) await Promise.all(documents.map(({ id }) => tell(id)))
  return reply.code(status === 202 ? 202 : 200).send(made)
}
