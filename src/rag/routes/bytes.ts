// The bytes of a document: its canonical text, by range if asked, and its original, as a download that no browser will run.
import { type FileHandle, open } from 'node:fs/promises'
import { Readable as Empty } from 'node:stream'
import type { FastifyReply, FastifyRequest } from 'fastify'
import { failure } from '../../platform/errors.ts'
import type { Routes } from '../../platform/service.ts'
import { attachment } from '../disposition.ts'
import type { Readable } from '../documents.ts'
import type { House } from '../plugin.ts'
import { type Conditions, partOf } from '../ranges.ts'
import { ById, VersionQuery } from '../schemas.ts'

/** A part up to this size is read at once: a stream costs more than the bytes of a citation. */
const AT_ONCE_BYTES = 64 * 1024

export async function byteRoutes(app: Routes, { documents }: House) {
  const config = { access: 'read:rag' } as const
  const schema = { params: ById, querystring: VersionQuery }

  app.get('/documents/:id/text', { config, schema }, (request, reply) =>
    send(request, reply, documents.text(request.caller.user_id, request.params.id, request.query.version)),
  )

  app.get('/documents/:id/content', { config, schema }, (request, reply) => {
    const file = documents.content(request.caller.user_id, request.params.id, request.query.version)
    reply.header('content-disposition', attachment(file.title)).header('content-security-policy', "default-src 'none'; sandbox")
    return send(request, reply, file)
  })
}

/** Answers with the part of a file that was asked for. A range means nothing to HEAD (RFC 9110, section 14.2). */
async function send({ method, headers }: FastifyRequest, reply: FastifyReply, { path, etag, media_type }: Readable) {
  const file = await open(path).catch((error: NodeJS.ErrnoException) => {
    throw error.code === 'ENOENT' ? failure('gone') : error
  })
  const head = method === 'HEAD'
  const { size, status, start, end } = await partIn(file, head ? { ...headers, range: undefined } : headers, etag)
  reply.code(status).headers({ etag: `"${etag}"`, 'accept-ranges': 'bytes', 'cache-control': 'private, no-cache' })
  reply.header('x-content-type-options', 'nosniff')
  if (status === 206) reply.header('content-range', `bytes ${start}-${end - 1}/${size}`)
  if (status !== 304) reply.type(media_type).header('content-length', end - start)
  if (!head && end - start > AT_ONCE_BYTES) return reply.send(file.createReadStream({ start, end: end - 1 }))
  if (!head && end > start) return reply.send(await bytesIn(file, start, end))
  await file.close()
  // A stream leaves the length alone that HEAD is to tell.
  return reply.send(head ? Empty.from([]) : undefined)
}

/** The bytes of a small part; the file is closed then. */
async function bytesIn(file: FileHandle, start: number, end: number): Promise<Buffer> {
  try {
    const { buffer, bytesRead } = await file.read(Buffer.allocUnsafe(end - start), 0, end - start, start)
    if (bytesRead < end - start) throw failure('gone')
    return buffer
  } finally {
    await file.close()
  }
}

async function partIn(file: FileHandle, conditions: Conditions, etag: string) {
  try {
    const { size } = await file.stat()
    return { size, ...partOf(conditions, etag, size) }
  } catch (error) {
    await file.close()
    throw error
  }
}
