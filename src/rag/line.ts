// The jobs that wait, in memory, a line for each user. Users are served in a circle, so that one with many holds nobody up.
import { failure } from '../platform/errors.ts'
import type { Queued } from './uploads.ts'

/** Holds `waitingMax` jobs at most; one user may fill half of it. */
export function openLine(waitingMax: number) {
  // A Map remembers the order of insertion: who was served goes to its end.
  const waiting = new Map<string, Queued[]>()
  let size = 0

  function keep(user: string, rest: Queued[], before: Queued[]) {
    size -= before.length - rest.length
    if (rest.length > 0) waiting.set(user, rest)
    else waiting.delete(user)
  }

  return {
    /** Throws `unavailable` when `count` more jobs of `user` find no room. */
    room(user: string, count: number) {
      const own = waiting.get(user)?.length ?? 0
      if (size + count > waitingMax || own + count > waitingMax / 2) {
        throw failure('unavailable', undefined, { headers: { 'retry-after': 30 } })
      }
    },

    push(job: Queued) {
      const line = waiting.get(job.user_id)
      if (line) line.push(job)
      else waiting.set(job.user_id, [job])
      size++
    },

    /** Takes the first job of the next user in the circle for which both say yes. */
    take(mayUser: (user: string) => boolean, mayJob: (job: Queued) => boolean): Queued | undefined {
      for (const [user, line] of waiting) {
        if (!mayUser(user)) continue
        const at = line.findIndex(mayJob)
        if (at < 0) continue
        waiting.delete(user)
        keep(user, line.toSpliced(at, 1), line)
        return line[at]
      }
    },

    size: () => size,

    holds: ({ id, user_id }: Queued): boolean => waiting.get(user_id)?.some(job => job.id === id) ?? false,

    remove(is: (job: Queued) => boolean) {
      for (const [user, line] of waiting)
        keep(
          user,
          line.filter(job => !is(job)),
          line,
        )
    },
  }
}
