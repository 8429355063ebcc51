// The readers of documents that a test has started, as the kernel shows them.
import { readdirSync, readFileSync } from 'node:fs'

/** The process ids of the readers this test started that run their program. Linux only. */
export const childrenOfOurs = () =>
  readdirSync('/proc').filter(
    pid =>
      /^\d+$/.test(pid) &&
      parentOf(pid) === String(process.pid) &&
      commandOf(pid).startsWith(`${process.execPath}\0--permission`),
  )

/** The process id of a reader this test started, once it runs its program. Linux only. */
export async function childOfOurs(): Promise<string | undefined> {
  while (process.platform === 'linux') {
    const [found] = childrenOfOurs()
    if (found) return found
    await new Promise(resolve => setImmediate(resolve))
  }
  return undefined
}

function parentOf(pid: string): string | undefined {
  return contentOf(`/proc/${pid}/status`).match(/^PPid:\s*(\d+)/m)?.[1]
}

export function commandOf(pid: string): string {
  return contentOf(`/proc/${pid}/cmdline`)
}

/** A process may be gone between the listing and the look. */
function contentOf(path: string): string {
  try {
    return readFileSync(path, 'utf8')
  } catch {
    return ''
  }
}
