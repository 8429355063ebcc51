// Fair turns at something scarce. Users who wait are served in a circle, one turn each, whatever number of turns each of them asked
// for: somebody with ten thousand waiting delays somebody with one by one turn.

export type Turns = ReturnType<typeof openTurns>

/**
 * Makes a function that runs `work` when it is the user's turn; at most `atOnce` run together, each once `before` allows it. An abort while
 * waiting rejects.
 */
export function openTurns(atOnce: number, before?: () => Promise<void>) {
  // A Map remembers the order of insertion: the first key is who is served next, and goes to the end with what it still waits for.
  const waiting = new Map<string, (() => void)[]>()
  let running = 0

  const next = () => {
    if (running >= atOnce) return
    const [entry] = waiting
    if (!entry) return
    const [user, queue] = entry
    waiting.delete(user)
    const begin = queue.shift()
    if (queue.length > 0) waiting.set(user, queue)
    running++
    begin?.()
  }

  return async <T>(user: string, signal: AbortSignal, work: () => Promise<T>): Promise<T> => {
    signal.throwIfAborted()
    await new Promise<void>((resolve, reject) => {
      const queue = waiting.get(user) ?? []
      const begin = () => {
        signal.removeEventListener('abort', leave)
        resolve()
      }
      const leave = () => {
        queue.splice(queue.indexOf(begin), 1)
        if (queue.length === 0 && waiting.get(user) === queue) waiting.delete(user)
        reject(signal.reason)
      }
      signal.addEventListener('abort', leave, { once: true })
      queue.push(begin)
      waiting.set(user, queue)
      next()
    })
    try {
      await before?.()
      signal.throwIfAborted() // between the beginning of the turn and that of the work
      return await work()
    } finally {
      running--
      next()
    }
  }
}
