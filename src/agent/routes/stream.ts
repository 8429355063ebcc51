// What routes that stream share: how a run goes out as server-sent events, and how it is noticed that a client has left.
import { Readable } from 'node:stream'
import type { FastifyReply } from 'fastify'
import type { Caller } from '../../platform/identity.ts'
import { follow } from '../follow.ts'
import type { House } from '../plugin.ts'

/** Aborted when the connection closes before the reply is complete. */
export function leaving(reply: FastifyReply): AbortSignal {
  const left = new AbortController()
  reply.raw.once('close', () => {
    if (!reply.raw.writableFinished) left.abort()
  })
  return left.signal
}

interface Followed {
  caller: Caller
  runId: string
  after?: string
  left: AbortSignal
}

/** Sends the events of a run until it has ended. */
export function sendStream(reply: FastifyReply, { runs, alive, closing }: House, { caller, runId, after, left }: Followed) {
  const until = AbortSignal.any([left, closing])
  const events = follow(runs, { userId: caller.user_id, runId, after, alive: () => alive(caller), until })
  reply.type('text/event-stream; charset=utf-8').header('x-accel-buffering', 'no')
  return reply.send(Readable.from(events, { objectMode: false }))
}
