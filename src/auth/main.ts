// Auth as a process.
import { start } from '../platform/start.ts'
import { authConfig } from './config.ts'
import { authService } from './plugin.ts'

await start(
  () => authService(authConfig()),
  ({ AUTH_SERVICE_PORT }) => AUTH_SERVICE_PORT,
)
