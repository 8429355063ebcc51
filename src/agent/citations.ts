// The proof of an answer: before a claim leaves, the bytes it cites are compared with the canonical text. A search does that for the
// passages it gives; for what was found a while ago they are fetched again, as the caller, and claims that lie near each other share one
// fetch. A claim whose bytes are not there, or are others, is dropped.
import type { Passage } from '../contracts/search.ts'
import { type Asker, type Evidence, type Place, textPath } from './evidence.ts'
import type { Segment } from './segments.ts'

/** Where the edge serves rag. */
const RAG_BASE = '/rag'
/** Most bytes fetched at once for several claims of one text. */
const STRETCH_BYTES_MAX = 16 * 1024

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
  const held = new Set<Claim>()
  await Promise.all(
    stretches(claims).map(async stretch => {
      const bytes = await evidence.bytes(asker, stretch, signal)
      for (const claim of stretch.claims) {
        const its = bytes?.subarray(claim.start_byte - stretch.start_byte, claim.end_byte - stretch.start_byte)
        if (its?.equals(Buffer.from(claim.quote))) held.add(claim)
      }
    }),
  )
  return cited(
    claims.filter(claim => held.has(claim)),
    first,
  )
}

/** The same for claims on passages that rag has just compared with their texts: those that lie in their passage. */
export function citeFound(claims: Claim[], first: number) {
  const holds = ({ passage, start_byte, end_byte, quote }: Claim) => {
    const its = Buffer.from(passage.content).subarray(start_byte - passage.start_byte, end_byte - passage.start_byte)
    return start_byte >= passage.start_byte && its.equals(Buffer.from(quote))
  }
  return cited(claims.filter(holds), first)
}

function cited(claims: Claim[], first: number) {
  return claims.map((claim, at) => ({ claim, segment: segment(claim, `[${first + at}]`) }))
}

interface Stretch extends Place {
  claims: Claim[]
}

/** The bytes of all claims in as few stretches of a text as may be. */
function stretches(claims: Claim[]): Stretch[] {
  const found: Stretch[] = []
  for (const claim of claims.toSorted((a, b) => a.start_byte - b.start_byte)) {
    const { document_id, version } = claim.passage
    const { start_byte, end_byte } = claim
    const near = found.find(
      one => one.document_id === document_id && one.version === version && end_byte - one.start_byte <= STRETCH_BYTES_MAX,
    )
    if (near) {
      near.claims.push(claim)
      near.end_byte = Math.max(near.end_byte, end_byte)
    } else found.push({ document_id, version, start_byte, end_byte, claims: [claim] })
  }
  return found
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
