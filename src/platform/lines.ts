// Messages of one process to another: JSON, one message a line.

/**
 * A message as a line. JSON leaves two line separators of Unicode (U+2028, U+2029) as they are, at which `node:readline` cuts too: they are
 * escaped.
 */
export function lineOf(message: unknown): string {
  return `${JSON.stringify(message).replace(/[\u2028\u2029]/g, one => `\\u${one.charCodeAt(0).toString(16)}`)}\n`
}
