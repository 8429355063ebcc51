// Auth as a process.
import { start } from '../platform/start.ts'
import { authConfig } from './config.ts'
import { authService } from './plugin.ts'

const config = authConfig()
await start(
  () => authService(config),
  () => config.AUTH_SERVICE_PORT,
)
