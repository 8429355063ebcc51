// Small numbers that look random and repeat: a test that fails with them fails again.

/** Gives a function that throws a number from 0 to below its argument. */
export function dice(seed: number): (below: number) => number {
  let state = seed
  return below => {
    state = (Math.imul(state, 1_103_515_245) + 12_345) >>> 0
    return (state >>> 8) % below
  }
}
