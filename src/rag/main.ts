// Rag as a process.
import { start } from '../platform/start.ts'
import { ragConfig } from './config.ts'
import { ragService } from './plugin.ts'

await start(
  () => ragService(ragConfig()),
  ({ RAG_SERVICE_PORT }) => RAG_SERVICE_PORT,
)
