// A failure thrown in a worker thread arrives as a plain error without its code; here the code travels in the message and is read again.
import type { FailureCode } from '../../contracts/failure.ts'
import { Failure, failure } from '../../platform/errors.ts'

const MARK = /^failure (\w+): (.*)$/s

/** Wraps what a worker exports. */
export function told<Task, Result>(work: (task: Task) => Result): (task: Task) => Result {
  return task => {
    try {
      return work(task)
    } catch (error) {
      if (error instanceof Failure) throw new Error(`failure ${error.code}: ${error.message}`, { cause: error.cause })
      throw error
    }
  }
}

/** What went wrong in a worker, as it was thrown there; a full lane is `unavailable`. */
export function retold(error: unknown): never {
  const { message = '', cause } = error as Error
  const [, code, sentence] = MARK.exec(message) ?? []
  if (code) throw failure(code as FailureCode, sentence, { cause })
  if (message.startsWith('Task queue is at limit')) throw failure('unavailable', undefined, { cause: error })
  throw error
}
