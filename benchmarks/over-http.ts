// rag's search of a known vector behind a small HTTP server, as a server of others has its own behind one: its doors take words, not vectors.
import Fastify from 'fastify'
import type { Lanes } from '../src/rag/lanes.ts'
import { good, send } from './bench-stack.ts'
import { askEach, type Measured, placeOf, TOP } from './nearest.ts'

type Hits = Awaited<ReturnType<Lanes['find']>>

/** Serves the collection in `dir` until it is closed. */
export async function overHttp(lanes: Lanes, dir: string) {
  const app = Fastify()
  app.post<{ Body: { vector: number[] } }>('/find', ({ body }) =>
    lanes.find({ dir, question: '', vector: Float32Array.from(body.vector), weight: 1, limit: TOP, min_score: 0 }),
  )
  const url = await app.listen({ host: '127.0.0.1', port: 0 })
  return {
    /** One question after the other, each with the whole of its reply: passages with their texts. */
    ask: (asked: Float32Array[]): Promise<Measured> =>
      askEach(asked, async vector => {
        const { text } = good(await send(`${url}/find`, 'POST', { vector: [...vector] }))
        return (JSON.parse(text) as Hits).map(placeOf)
      }),
    close: () => app.close(),
  }
}
