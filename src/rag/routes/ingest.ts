// Files on the server, below the folder the operator named.
import type { Routes } from '../../platform/service.ts'
import { receivePaths } from '../folder.ts'
import type { House } from '../plugin.ts'
import { IngestRequest, Uploaded } from '../schemas.ts'
import { sendStored } from './stored.ts'

export async function ingestRoutes(app: Routes, { config, originals, uploads, alive }: House) {
  app.post(
    '/ingest',
    {
      config: { access: 'write:rag', limit: 'upload' },
      schema: { body: IngestRequest, response: { 200: Uploaded, 202: Uploaded } },
    },
    async (request, reply) => {
      const { caller, body } = request
      const { file_paths, ...wishes } = body
      const receive = () => receivePaths(config.RAG_INGEST_ROOT, file_paths, wishes, originals, config.FILE_BYTES_MAX)
      return sendStored(request, reply, await uploads.take(caller.user_id, undefined, receive, () => alive(caller)))
    },
  )
}
