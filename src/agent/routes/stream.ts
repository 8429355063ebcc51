// What routes that ask or follow share: as whom rag is asked, how a run goes out, and how it is noticed that a client has left.
import { Readable } from 'node:stream'
import type { FastifyReply, FastifyRequest } from 'fastify'
import { failure } from '../../platform/errors.ts'
import { standing } from '../../platform/standing.ts'
import { type Ending, failureOf } from '../endings.ts'
import type { Asker } from '../evidence.ts'
import { follow } from '../follow.ts'
import type { House } from '../plugin.ts'

/** Aborted when the connection closes before the reply is complete. */
export function leaving(reply: FastifyReply): AbortSignal {
  const left = new AbortController()
  if (reply.raw.destroyed) left.abort() // before anybody listened
  reply.raw.once('close', () => {
    if (!reply.raw.writableFinished) left.abort()
  })
  return left.signal
}

interface Followed {
  runId: string
  after?: string
  left: AbortSignal
}

/** The events of a run for `reply`, for as long as its caller is signed in and this process lives; one who does not read them is cut. */
export function followed({ runs, closing }: House, reply: FastifyReply, { runId, after, left }: Followed) {
  const until = AbortSignal.any([left, closing, standing(reply)])
  return follow(runs, { userId: reply.request.caller.user_id, runId, after, until })
}

/** Sends lines as they come. */
export function sendStream(reply: FastifyReply, lines: AsyncIterable<string>) {
  reply.type('text/event-stream; charset=utf-8').header('x-accel-buffering', 'no')
  return reply.send(Readable.from(lines, { objectMode: false }))
}

/** As whom rag is asked on behalf of a request. */
export function askerOf({ headers, ip, id }: FastifyRequest): Asker {
  return { authorization: headers.authorization ?? '', address: ip, requestId: id }
}

/** Sends what `make` makes of a run that ended well: made while the end is being written down, sent when it has been. */
export async function sendDone(
  reply: FastifyReply,
  { decided, ended }: { decided: Promise<Ending>; ended: Promise<Ending> },
  make: (ending: Extract<Ending, { state: 'done' }>) => object,
) {
  const ending = await Promise.race([decided, ended])
  const text = ending.state === 'done' ? reply.serialize(make(ending)) : ''
  demandDone(await ended)
  return reply.type('application/json; charset=utf-8').send(text)
}

/** How a run ended well; throws how it ended otherwise. */
export function demandDone(ending: Ending) {
  if (ending.state === 'done') return ending
  throw ending.state === 'cancelled' ? failure('cancelled') : failureOf(ending)
}
