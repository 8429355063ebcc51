// Whether a process lives, told by the kernel; one that has ended but was not yet collected by its parent does not.
import { readFileSync } from 'node:fs'

export function lives(pid: number | undefined): boolean {
  try {
    const stat = readFileSync(`/proc/${pid}/stat`, 'utf8')
    return stat[stat.lastIndexOf(')') + 2] !== 'Z'
  } catch {
    return false
  }
}
