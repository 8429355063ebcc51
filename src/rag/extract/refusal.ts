// How a reader says that it cannot read a document. The child process must start fast, so this stands apart from platform/errors.ts, whose
// schemas take longer to load than most documents to read; run.ts turns a refusal into the house's failure.

export type RefusalCode = 'no_text' | 'encrypted' | 'damaged' | 'unsupported_type' | 'too_large'

/** `message` is for the person who sent the document and may be empty: then the code's own sentence stands. `cause` is for the log. */
export class Refusal extends Error {
  readonly code: RefusalCode

  constructor(code: RefusalCode, message = '', cause?: unknown) {
    super(message, { cause })
    this.code = code
  }
}
