// Runs a service as a process: listens, says so, and on a signal leaves the balance, drains and ends. The only file that ends the process.
import { setTimeout as pause } from 'node:timers/promises'
import closeWithGrace from 'close-with-grace'
import type { SharedConfig } from './config.ts'
import { buildService, type Service } from './service.ts'

/** Longest wait for requests under way when asked to stop, in milliseconds. */
const DRAIN_MS_MAX = 10_000

/** Starts `open()` on `port`; a start that fails, its configuration included, is one sentence and exit code 1. */
export async function start(open: () => Service, port: (config: SharedConfig) => number) {
  try {
    const service = open()
    const app = await buildService(service)
    const noticeMs = service.config.STOP_NOTICE_S * 1000
    let leaving = false
    app.needs('staying', () => !leaving)
    closeWithGrace({ delay: noticeMs + DRAIN_MS_MAX, logger: app.log }, async ({ err }) => {
      if (err) app.log.fatal({ err }, 'stopping')
      else {
        // The edge asks /ready and sends what comes to another replica before this one stops listening.
        leaving = true
        await pause(noticeMs)
      }
      await app.close()
    })
    await app.listen({ host: service.config.HOST, port: port(service.config) })
  } catch (error) {
    process.stderr.write(`${sentence(error)}\n`)
    process.exit(1)
  }
}

function sentence(error: unknown): string {
  const { message, code } = error as NodeJS.ErrnoException
  return code === 'EADDRINUSE' ? `${message}; stop what listens there or choose another port.` : String(message)
}
