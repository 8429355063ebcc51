// A private Redis for one test file: the real server, on a free port of loopback, gone with the test.
import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { cpSync, mkdtempSync, rmSync } from 'node:fs'
import { createServer } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { createInterface } from 'node:readline'
import { redisServer } from '../../deploy/redis.ts'

interface Teardown {
  teardown(action: () => unknown): void
}

/** A port of loopback that nobody listens on just now. */
export async function freePort(): Promise<number> {
  const server = createServer().listen(0, '127.0.0.1')
  await once(server, 'listening')
  const address = server.address()
  server.close()
  await once(server, 'close')
  if (address === null || typeof address === 'string') throw new Error('no port')
  return address.port
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
    for await (const line of createInterface(server.stdout)) {
      if (line.includes('Ready to accept connections')) break
    }
    server.stdout.resume()
  }
  await start()
  t.teardown(async () => {
    await stop()
    rmSync(dir, { recursive: true, force: true })
  })
  return { url: `redis://127.0.0.1:${port}`, port, dir, start, stop: () => stop() }
}
