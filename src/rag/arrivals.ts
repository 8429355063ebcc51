// What a client sends, put safely on disk before anyone decides on it: the parts of a multipart body streamed to files while they are
// hashed, or a text from a JSON body. Whatever goes wrong, nothing is left behind.

import { Failure, failure } from '../platform/errors.ts'
import type { NewText } from './schemas.ts'
import type { Originals, Spooled } from './store/originals.ts'

/** One file that arrived whole, or why it did not. */
export interface Arrival {
  title: string
  file?: Spooled
  failure?: Failure
}

/** What the sender wants done with it. */
export interface Wishes {
  /** Absent: the sender's `default`. */
  collection_id?: string
  on_same_name?: 'replace' | 'keep_both' | 'refuse'
  source?: string
  metadata?: Record<string, unknown>
}

/** A request as far as it has arrived. */
export interface Arrivals {
  wishes: Wishes
  arrivals: Arrival[]
}

/** A part as @fastify/multipart gives it. */
export type FormPart =
  | { type: 'file'; fieldname: string; filename: string; file: AsyncIterable<Uint8Array> }
  | { type: 'field'; fieldname: string; value: unknown }

export interface Limits {
  fileBytesMax: number
  uploadBytesMax: number
}

/** A name as it is kept: one Unicode form, no control characters; a path in it is only text. */
export function cleanTitle(name: string): string {
  return (
    name
      .normalize('NFC')
      .replace(/\p{Cc}+/gu, ' ')
      .trim() || 'untitled'
  )
}

/**
 * Receives the parts of a form. A file that is too large is an arrival that failed; a broken form, an unknown part or a full disk
 * throws. A form that is wrong is still read to its end (up to the largest upload), so that the client reads the answer.
 */
export async function receiveForm(
  parts: AsyncIterable<FormPart>,
  readFields: (given: Record<string, unknown>) => Omit<Wishes, 'source'>,
  originals: Originals,
  { fileBytesMax, uploadBytesMax }: Limits,
): Promise<Arrivals> {
  const arrivals: Arrival[] = []
  const given: Record<string, unknown> = {}
  const allowance = { left: uploadBytesMax }
  let trouble: unknown
  try {
    for await (const part of sound(parts)) {
      if (part.type === 'field') {
        if (part.fieldname in given) trouble ??= failure('invalid_request', `The field "${part.fieldname}" stands twice`)
        given[part.fieldname] = part.value
        continue
      }
      if (part.fieldname !== 'file') trouble ??= failure('invalid_request', 'Send files in fields called "file"')
      const title = cleanTitle(part.filename)
      const spooled = originals.spool(sound(metered(part.file, allowance)), trouble ? 0 : fileBytesMax)
      const arrival = await spooled.then(
        file => ({ title, file }),
        (error: unknown) => {
          if (!(error instanceof Failure) || error.code !== 'too_large' || allowance.left < 0) throw error
          return { title, failure: error }
        },
      )
      arrivals.push(arrival)
    }
    if (trouble) throw trouble
    if (arrivals.length === 0) throw failure('invalid_request', 'Send at least one file in the field "file"')
    return { wishes: { on_same_name: 'replace', ...readFields(given) }, arrivals }
  } catch (error) {
    await discard(arrivals, originals)
    throw error
  }
}

/** Receives a text as if it were a file. What names no source is taken for one text among others, not for a file that changed. */
export async function receiveText(
  { title, text, ...wishes }: NewText,
  originals: Originals,
  { fileBytesMax }: Limits,
): Promise<Arrivals> {
  const file = await originals.spool(once(Buffer.from(text)), fileBytesMax)
  const on_same_name = wishes.source === undefined ? 'keep_both' : 'replace'
  return { wishes: { on_same_name, ...wishes }, arrivals: [{ title: cleanTitle(title), file }] }
}

/** Removes what nobody gave a place. */
export async function discard(arrivals: readonly Arrival[], originals: Originals) {
  for (const { file } of arrivals) if (file) await originals.discard(file)
}

async function* once(bytes: Uint8Array) {
  yield bytes
}

/** The same bytes, counted against what the whole request may still bring. */
async function* metered(source: AsyncIterable<Uint8Array>, allowance: { left: number }) {
  for await (const piece of source) {
    allowance.left -= piece.length
    if (allowance.left < 0)
      throw failure('too_large', 'The files together are larger than the limit', { headers: { connection: 'close' } })
    yield piece
  }
}

/** The same things; what goes wrong while reading them is the sender's doing, unless it is said more exactly already. */
async function* sound<T>(source: AsyncIterable<T>) {
  try {
    yield* source
  } catch (error) {
    if (error instanceof Failure || (error as { statusCode?: number }).statusCode) throw error
    throw failure('invalid_request', 'The form is broken off or malformed', { cause: error })
  }
}
