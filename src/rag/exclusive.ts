// One at a time per key: whoever decides by looking at the catalogue and then touches files holds the key of that collection, so that
// nobody else decides on what is just changing. It lives in the process, which is enough: one process has the data folder.

export type Exclusive = ReturnType<typeof openExclusive>

/** Makes a function that runs `work` after everything asked for earlier under the same key has ended, well or badly. */
export function openExclusive() {
  const tails = new Map<string, Promise<unknown>>()
  return async <T>(key: string, work: () => Promise<T>): Promise<T> => {
    const before = tails.get(key) ?? Promise.resolve()
    const mine = before.then(work, work)
    const tail = mine.catch(() => {})
    tails.set(key, tail)
    try {
      return await mine
    } finally {
      if (tails.get(key) === tail) tails.delete(key)
    }
  }
}
