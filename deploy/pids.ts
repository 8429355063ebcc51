// Pid files that cannot point at a stranger: beside the number stands when the process began (and in which boot), so a pid that
// the kernel has given to someone else is seen as gone. Linux only, since it reads /proc.
import { mkdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { setTimeout as pause } from 'node:timers/promises'

/** Longest wait for a process that was asked to end, in milliseconds, before it is made to. */
const END_MS_MAX = 30_000
const LOOK_EVERY_MS = 30

/** Notes that `pid` is `name`. */
export function notePid(folder: string, name: string, pid: number) {
  mkdirSync(folder, { recursive: true })
  writeFileSync(join(folder, name), `${pid} ${birth(pid)}\n`)
}

/** The pid noted for `name`, if that very process still lives. */
export function livingPid(folder: string, name: string): number | undefined {
  const noted = note(folder, name)
  return noted && noted.born === birth(noted.pid) ? noted.pid : undefined
}

/** Ends the process noted for `name`, if it lives, with its group: asked first, made to after 30 s. Forgets the note. */
export async function endLeftover(folder: string, name: string): Promise<void> {
  const noted = note(folder, name)
  // The process itself is looked at, not its note: it may forget that a little before it ends.
  const lives = () => noted && noted.born === birth(noted.pid)
  if (noted && lives()) {
    process.kill(noted.pid, 'SIGTERM')
    const late = Date.now() + END_MS_MAX
    while (lives()) {
      if (Date.now() > late) process.kill(noted.pid, 'SIGKILL')
      await pause(LOOK_EVERY_MS)
    }
    endGroup(noted.pid)
  }
  forgetPid(folder, name)
}

/** Ends whatever is left of the process group `pid` led, such as a child of rag in the middle of a document. */
export function endGroup(pid: number) {
  try {
    process.kill(-pid, 'SIGKILL')
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'ESRCH') throw error
  }
}

export function forgetPid(folder: string, name: string) {
  rmSync(join(folder, name), { force: true })
}

function note(folder: string, name: string): { pid: number; born: string } | undefined {
  const [pid, ...born] = read(join(folder, name)).trim().split(' ')
  return pid ? { pid: Number(pid), born: born.join(' ') } : undefined
}

/** When the process began: boot id and clock ticks since boot (field 22 of proc(5) stat); empty when there is none or it is a zombie. */
function birth(pid: number): string {
  const stat = read(`/proc/${pid}/stat`)
  // The second field is the name in brackets, which may itself hold blanks and brackets.
  const fields = stat.slice(stat.lastIndexOf(')') + 2).split(' ')
  if (!stat || fields[0] === 'Z') return ''
  return `${read('/proc/sys/kernel/random/boot_id').trim()} ${fields[19]}`
}

function read(path: string): string {
  try {
    return readFileSync(path, 'utf8')
  } catch {
    return ''
  }
}
