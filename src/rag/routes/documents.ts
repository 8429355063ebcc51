// Documents: sent, listed, read about, tried again, erased.
import Value from 'typebox/value'
import { failure } from '../../platform/errors.ts'
import type { Routes } from '../../platform/service.ts'
import { tellerOf, telling } from '../../platform/telling.ts'
import { wellFormed } from '../../platform/text.ts'
import { type FormPart, receiveForm, receiveText } from '../arrivals.ts'
import { FORM_BYTES_MAX } from '../config.ts'
import type { House } from '../plugin.ts'
import { ById, Document, DocumentList, DocumentQuery, FormFields, NewText, Receipt, Retried, Uploaded } from '../schemas.ts'
import { sendStored } from './stored.ts'

/** Largest JSON body with a text in it, in bytes: parsing it holds up everyone, so larger texts are sent as files. */
const TEXT_BODY_BYTES_MAX = 8 * 1024 * 1024

export async function documentRoutes(
  app: Routes,
  { config, originals, uploads, documents, collections, erasures, alive }: House,
) {
  const read = { access: 'read:rag' } as const
  const write = { access: 'write:rag' } as const
  const limits = { fileBytesMax: config.FILE_BYTES_MAX, uploadBytesMax: config.UPLOAD_BYTES_MAX }

  app.post(
    '/documents',
    {
      config: { access: 'write:rag', limit: 'upload' },
      bodyLimit: TEXT_BODY_BYTES_MAX,
      schema: {
        description: 'Send files as multipart/form-data in fields called `file`, or one text as JSON.',
        consumes: ['multipart/form-data', 'application/json'],
        body: { content: { 'application/json': { schema: NewText } } },
        response: { 200: Uploaded, 202: Uploaded },
      },
    },
    async (request, reply) => {
      const { 'idempotency-key': key, 'content-length': length = 0 } = request.headers
      if (Array.isArray(key)) throw failure('invalid_request', 'Send one Idempotency-Key')
      if (Number(length) > config.UPLOAD_BYTES_MAX + FORM_BYTES_MAX) {
        throw failure('too_large', 'The files together are larger than the limit', { headers: { connection: 'close' } })
      }
      const receive = () =>
        request.isMultipart()
          ? receiveForm(request.parts() as AsyncIterable<FormPart>, formFields, originals, limits)
          : receiveText(request.body as NewText, originals, limits)
      const { caller } = request
      const taken = await uploads.take(caller.user_id, key, receive, () => alive(caller))
      return sendStored(request, reply, taken)
    },
  )

  app.get(
    '/documents',
    { config: read, schema: { querystring: DocumentQuery, response: { 200: DocumentList } } },
    ({ caller, query: { limit = 50, ...filter } }) => documents.list(caller.user_id, { limit, ...filter }),
  )

  app.get('/documents/:id', { config: read, schema: { params: ById, response: { 200: Document } } }, ({ caller, params }) =>
    documents.one(caller.user_id, params.id),
  )

  app.post(
    '/documents/:id/retry',
    { config: write, schema: { params: ById, response: { 202: Retried } } },
    async ({ caller, params }, reply) => {
      const entry = documents.retry(caller.user_id, params.id)
      return reply.code(202).header('location', `../../jobs/${entry.job_id}`).send(entry)
    },
  )

  app.delete('/documents/:id', { config: write, schema: { params: ById, response: { 200: Receipt } } }, async request => {
    const { user_id } = request.caller
    const { id, collection_id } = collections.writableDocument(user_id, request.params.id)
    return telling(tellerOf(app, request), { action: 'document_erase', target: id }, () =>
      erasures.document(user_id, collection_id, id),
    )
  })

  app.get('/erasures/:id', { config: read, schema: { params: ById, response: { 200: Receipt } } }, ({ caller, params }) =>
    erasures.receipt(caller.user_id, params.id),
  )
}

/** The fields of a form, checked like a body. */
function formFields({ metadata, ...given }: Record<string, unknown>): FormFields {
  const fields = { ...given, ...(metadata !== undefined && { metadata: parsed(metadata) }) }
  if (!wellFormed(fields))
    throw failure('invalid_request', 'A field holds a NUL character or half of a surrogate pair; remove it')
  if (Value.Check(FormFields, fields)) return fields
  const details = Value.Errors(FormFields, fields).map(({ instancePath, message }) => ({
    path: instancePath || '/',
    problem: message,
  }))
  throw failure('invalid_request', `The form is not valid: ${details[0]?.path} ${details[0]?.problem}`, {
    details: details.slice(0, 10),
  })
}

function parsed(metadata: unknown): unknown {
  if (typeof metadata !== 'string') return metadata
  try {
    return JSON.parse(metadata)
  } catch (cause) {
    throw failure('invalid_request', 'The field "metadata" is not JSON', { cause })
  }
}
