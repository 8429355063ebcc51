// Searches again and again in a process of its own, so that what else a benchmark does delays none of them; told over IPC what to ask.
import { setTimeout as pause } from 'node:timers/promises'
import { good, send } from './bench-stack.ts'

export interface Order {
  url: string
  headers: Record<string, string>
  /** Searches before those that count: they warm what there is to warm. */
  warming: number
  searches: number
  /** Pause after each, in milliseconds. */
  everyMs: number
}

process.once('disconnect', () => process.exit())
process.once('message', async ({ url, headers, warming, searches, everyMs }: Order) => {
  const times: number[] = []
  for (let i = 0; i < warming + searches; i++) {
    const query = `when does boat ${i} leave the harbour`
    const { ms } = good(await send(`${url}/rag/search`, 'POST', { query }, headers))
    if (i >= warming) times.push(ms)
    await pause(everyMs)
  }
  process.send?.(times, () => process.disconnect?.())
})
