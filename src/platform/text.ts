// What every text that comes in from outside must be: whole Unicode, without NUL, down to the last key of the body.

/** True when no string in `value`, keys included, holds NUL or a lone surrogate. Walks without recursion, so depth is no matter. */
export function wellFormed(value: unknown): boolean {
  const pending = [value]
  while (pending.length > 0) {
    const one = pending.pop()
    if (typeof one === 'string') {
      if (one.includes('\0') || !one.isWellFormed()) return false
    } else if (one !== null && typeof one === 'object' && !Buffer.isBuffer(one)) {
      for (const [key, inner] of Object.entries(one)) pending.push(key, inner)
    }
  }
  return true
}
