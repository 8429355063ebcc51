// Which keys each script and each transaction touches, as Redis itself reports them, and the cluster slot of each key.
import { createHash } from 'node:crypto'
import type { Service } from '../../src/platform/service.ts'

interface Teardown {
  teardown(action: () => unknown): void
}

/** CRC-16/XMODEM, as Redis Cluster computes it. */
export function crc16(bytes: Buffer): number {
  let crc = 0
  for (const byte of bytes) {
    crc ^= byte << 8
    for (let bit = 0; bit < 8; bit++) crc = ((crc << 1) ^ (crc & 0x8000 ? 0x1021 : 0)) & 0xffff
  }
  return crc
}

/** The slot of a key: of what stands between its first `{` and the `}` after it, when that is something (Redis Cluster specification). */
export function slotOf(key: string): number {
  const open = key.indexOf('{')
  const close = key.indexOf('}', open + 1)
  const tag = open >= 0 && close > open + 1 ? key.slice(open + 1, close) : key
  return crc16(Buffer.from(tag)) % 16_384
}

const digest = (text: string) => createHash('sha1').update(text).digest('hex')

/** One run of a script (by its name) or a transaction, with every key it was given or reached for. */
interface Touch {
  what: string
  keys: Set<string>
}

/** Watches one Redis; `noting` wraps each service that is to be built on it, so that its scripts have names. */
export function watchSlots(t: Teardown) {
  const scripts = new Map<string, string>()
  const touched: Touch[] = []
  let watching: Promise<{ disconnect(): void }> | undefined
  t.teardown(async () => (await watching)?.disconnect())

  function note(transactions: Map<string, Set<string>>, source: string, command: string, args: string[]) {
    if (source === 'lua') return void (args[0] && touched.at(-1)?.keys.add(args[0]))
    if (command === 'evalsha' || command === 'eval') {
      const sha = command === 'eval' ? digest(JSON.parse(`"${args[0]}"`)) : String(args[0])
      touched.push({ what: scripts.get(sha) ?? sha, keys: new Set(args.slice(2, 2 + Number(args[1]))) })
    } else if (command === 'multi') transactions.set(source, new Set())
    else if (command === 'exec') {
      touched.push({ what: 'transaction', keys: transactions.get(source) ?? new Set() })
      transactions.delete(source)
    } else transactions.get(source)?.add(String(args[0]))
  }

  return {
    touched,
    /** Names of all scripts that the services have defined. */
    names: () => [...new Set(scripts.values())],
    noting: (service: Service): Service => ({
      ...service,
      async keys(app) {
        const define = app.redis.defineCommand.bind(app.redis)
        app.redis.defineCommand = (name, definition) => {
          scripts.set(digest(String(definition.lua)), name)
          define(name, definition)
        }
        watching ??= app.redis.monitor().then(monitor => {
          const transactions = new Map<string, Set<string>>()
          return monitor.on('monitor', (_time: string, [command = '', ...args]: string[], source: string) =>
            note(transactions, source, command.toLowerCase(), args),
          )
        })
        await watching
        return service.keys(app)
      },
    }),
  }
}
