// What a process started here uses, as the kernel counts it.
import { readFile } from 'node:fs/promises'

/** What the kernel counts in (`man 5 proc`): processor time in hundredths of a second, memory in pages. */
const TICK_MS = 10
const PAGE_BYTES = 4096

/** Memory and processor time of a process, from /proc; 0 where there is none, and then the heap's own limit and the clock have to do. */
export async function usageOf(pid: number | undefined): Promise<{ residentBytes: number; processorMs: number }> {
  const stat = await readFile(`/proc/${pid}/stat`, 'latin1').catch(() => '')
  const fields = stat.slice(stat.lastIndexOf(')') + 2).split(' ') // the third field on; the second is a name and may hold blanks
  const field = (number: number) => Number(fields[number - 3] ?? 0)
  return { residentBytes: field(24) * PAGE_BYTES, processorMs: (field(14) + field(15)) * TICK_MS }
}
