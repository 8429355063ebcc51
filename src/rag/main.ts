// Rag as a process.
import { start } from '../platform/start.ts'
import { ragConfig } from './config.ts'
import { ragService } from './plugin.ts'

const config = ragConfig()
await start(
  () => ragService(config),
  () => config.RAG_SERVICE_PORT,
)
