// A private Redis for one test file: the real server, on a free port of loopback, gone with the test.
import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { cpSync, mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { createInterface } from 'node:readline'
import { freePort } from '../../deploy/ports.ts'
import { redisServer } from '../../deploy/redis.ts'

/** For whatever else a test starts. */
export { freePort }

interface Teardown {
  teardown(action: () => unknown): void
}

export interface PrivateRedis {
  url: string
  port: number
  /** Its data folder. */
  dir: string
  stop(): Promise<void>
  start(): Promise<void>
}

/** Starts Redis with the settings of the stack (AOF, always fsync, no eviction) and stops it with the test. `data` is a folder to begin with. */
export async function privateRedis(t: Teardown, data?: string): Promise<PrivateRedis> {
  const dir = mkdtempSync(join(tmpdir(), 'redis-'))
  if (data) cpSync(data, dir, { recursive: true })
  const port = await freePort()
  let stop = async () => {}
  async function start() {
    const settings = [
      '--port',
      `${port}`,
      '--bind',
      '127.0.0.1',
      '--dir',
      dir,
      '--appendonly',
      'yes',
      '--appendfsync',
      'always',
      '--save',
      '',
    ]
    const server = spawn(redisServer(), [...settings, '--maxmemory-policy', 'noeviction'], {
      stdio: ['ignore', 'pipe', 'inherit'],
    })
    const ended = once(server, 'exit')
    stop = async () => {
      server.kill('SIGKILL')
      await ended
    }
    const said: string[] = []
    for await (const line of createInterface(server.stdout)) {
      said.push(line)
      if (line.includes('Ready to accept connections')) break
    }
    if (!said.at(-1)?.includes('Ready')) throw new Error(`Redis did not start:\n${said.join('\n')}`)
    server.stdout.resume()
  }
  await start()
  t.teardown(async () => {
    await stop()
    rmSync(dir, { recursive: true, force: true })
  })
  return { url: `redis://127.0.0.1:${port}`, port, dir, start, stop: () => stop() }
}
