// The proof of an answer: before a claim leaves, the bytes it cites are fetched again from the canonical text, as the caller, and
// compared. A claim whose bytes are not there, or are others, is dropped.
import type { Passage } from '../contracts/search.ts'
import { type Asker, type Evidence, textPath } from './evidence.ts'
import type { Segment } from './segments.ts'

/** Where the edge serves rag. */
const RAG_BASE = '/rag'

/** Something to say, and what it rests on. `quote` is the text at `start_byte` to `end_byte` (exclusive) of the passage's document. */
export interface Claim {
  text: string
  passage: Passage
  start_byte: number
  end_byte: number
  quote: string
}

/** The claims that hold, in their order, each with what is said of it, numbered from `[first]` on. Throws when rag cannot be asked. */
export async function cite(
  evidence: Pick<Evidence, 'bytes'>,
  asker: Asker,
  claims: Claim[],
  first: number,
  signal?: AbortSignal,
): Promise<{ claim: Claim; segment: Segment }[]> {
  const holds = await Promise.all(
    claims.map(async ({ passage, start_byte, end_byte, quote }) => {
      const { document_id, version } = passage
      const bytes = await evidence.bytes(asker, { document_id, version, start_byte, end_byte }, signal)
      return bytes?.equals(Buffer.from(quote)) ?? false
    }),
  )
  return claims.filter((_, at) => holds[at]).map((claim, at) => ({ claim, segment: segment(claim, `[${first + at}]`) }))
}

function segment({ text, passage, start_byte, end_byte, quote }: Claim, marker: string): Segment {
  const { document_id, version, title, collection_id, page, heading, score } = passage
  const href = `${RAG_BASE}${textPath(passage)}`
  const where = { ...(page !== undefined && { page }), ...(heading !== undefined && { heading }) }
  return {
    text: `${text} ${marker}`,
    citation: { marker, document_id, version, title, collection_id, start_byte, end_byte, quote, href, ...where, score },
  }
}
