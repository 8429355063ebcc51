// The two tools that reach documents: finding passages and reading on from a place. Both ask rag as the caller, both give passages that
// can be cited, and neither leaves the collections the question was asked of.
import Type from 'typebox'
import { Id, type Passage, SearchRequest } from '../../contracts/search.ts'
import { failure } from '../../platform/errors.ts'
import type { Evidence } from '../evidence.ts'
import { demand } from './arguments.ts'
import type { Tool, ToolResult } from './tool.ts'

/** Most bytes read at once, and those of one passage of what was read. */
const READ_BYTES_MAX = 64 * 1024
const PASSAGE_BYTES = 4096

const ReadRequest = Type.Object(
  {
    document_id: Id,
    version: Type.Optional(Type.String({ pattern: '^[0-9a-f]{64}$', description: 'The newest, unless named' })),
    start_byte: Type.Optional(Type.Integer({ minimum: 0, default: 0 })),
    bytes: Type.Optional(Type.Integer({ minimum: 4, maximum: READ_BYTES_MAX, default: 8192 })),
  },
  { additionalProperties: false, title: 'ReadRequest' },
)

export function searchDocuments(evidence: Evidence): Tool {
  const name = 'search_documents'
  return {
    name,
    description: "Finds passages in the caller's own documents, the best first.",
    parameters: SearchRequest,
    permission: 'read:rag',
    async run(given, { asker, signal, collection_ids: scope }) {
      const request = demand(name, SearchRequest, given)
      const asked = request.collection_ids ?? scope
      const within = scope ? asked?.filter(id => scope.includes(id)) : asked
      if (within?.length === 0) return found([])
      return found(await evidence.search(asker, { ...request, ...(within && { collection_ids: within }) }, signal))
    },
  }
}

export function readDocument(evidence: Evidence): Tool {
  const name = 'read_document'
  return {
    name,
    description: 'Reads the text of a document from a byte on; `end_byte` of the result is where the next part begins.',
    parameters: ReadRequest,
    permission: 'read:rag',
    async run(given, { asker, signal, collection_ids: scope }) {
      const { document_id, version, start_byte = 0, bytes: bytesMax = 8192 } = demand(name, ReadRequest, given)
      const [{ title, collection_id }, part] = await Promise.all([
        evidence.head(asker, document_id, signal),
        evidence.read(asker, { document_id, version, start_byte, bytesMax }, signal),
      ])
      // Outside of what was asked, a document is as good as absent.
      if (scope && !scope.includes(collection_id)) throw failure('not_found')
      const about = { document_id, version: part.version, collection_id, title, source: null, metadata: {}, score: 1 }
      const passages = piecesOf(part.text, part.start_byte).map(piece => ({
        ...about,
        ...piece,
        chunk_id: `${document_id}-${piece.start_byte}`,
      }))
      return { text: part.text, passages, structured: part }
    },
  }
}

function found(passages: Passage[]): ToolResult {
  const text = passages.map(({ document_id, title, content }) => `${title} (${document_id})\n${content}`).join('\n\n')
  return { text: text || 'Nothing was found', passages, structured: { passages } }
}

/** The text in pieces of whole characters, each ending at the end of a line where there is one; places in bytes, counted from `start`. */
function piecesOf(text: string, start: number): Pick<Passage, 'content' | 'start_byte' | 'end_byte'>[] {
  const pieces: Pick<Passage, 'content' | 'start_byte' | 'end_byte'>[] = []
  const bytes = Buffer.from(text)
  for (let from = 0; from < bytes.length; ) {
    let to = Math.min(from + PASSAGE_BYTES, bytes.length)
    while (to < bytes.length && ((bytes[to] ?? 0) & 0xc0) === 0x80) to -= 1
    const line = to < bytes.length ? bytes.lastIndexOf(0x0a, to - 1) : -1
    if (line > from) to = line + 1
    pieces.push({ content: bytes.toString('utf8', from, to), start_byte: start + from, end_byte: start + to })
    from = to
  }
  return pieces
}
