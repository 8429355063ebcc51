// Work of which one run at a time is enough, whoever asks for it and how often: nothing piles up behind a slow run.

/** Whoever asks shares the next run of `work` with all who ask before it begins; it begins when the one before has ended. */
export function sharing<T>(work: () => Promise<T>): () => Promise<T> {
  let last: Promise<unknown> = Promise.resolve()
  let next: Promise<T> | undefined
  return () => {
    if (next) return next
    const run = last.then(() => {
      next = undefined
      return work()
    })
    next = run
    last = run.catch(() => {})
    return run
  }
}
