// Jobs: where one stands, told once or at every step, and giving one up.
import { PassThrough } from 'node:stream'
import Type from 'typebox'
import { failure } from '../../platform/errors.ts'
import { exceeded } from '../../platform/limits.ts'
import type { Routes } from '../../platform/service.ts'
import { standing } from '../../platform/standing.ts'
import type { JobView } from '../documents.ts'
import type { House } from '../plugin.ts'
import { ById, Job } from '../schemas.ts'

/** Streams open at once: of everybody, and of one user, who may send so many files together. */
const STREAMS_MAX = 1000
const STREAMS_OF_USER_MAX = 100
/** Between two signs of life on a quiet stream, in milliseconds. */
const HEARTBEAT_MS = 10_000
/** When whoever follows too many is asked to come back, in seconds. */
const AGAIN_S = 5

export async function jobRoutes(app: Routes, { documents }: House) {
  /** Every open stream, and whose it is. */
  const open = new Map<PassThrough, string>()
  app.addHook('preClose', async () => {
    for (const stream of open.keys()) stream.end()
  })

  function requireRoom(user: string) {
    if ([...open.values()].filter(one => one === user).length >= STREAMS_OF_USER_MAX) {
      const sentence = `You follow ${STREAMS_OF_USER_MAX} jobs already; end one of these streams, or ask for the job itself`
      throw failure('rate_limited', sentence, { headers: exceeded(STREAMS_OF_USER_MAX, AGAIN_S) })
    }
    if (open.size >= STREAMS_MAX) throw failure('unavailable')
  }

  app.get(
    '/jobs/:id',
    { config: { access: 'read:rag' }, schema: { params: ById, response: { 200: Job } } },
    ({ caller, params }) => documents.job(caller.user_id, params.id),
  )

  app.get('/jobs/:id/events', { config: { access: 'read:rag' }, schema: { params: ById } }, ({ caller, params }, reply) => {
    requireRoom(caller.user_id)
    const stream = new PassThrough()
    let sent = 0
    const write = (text: string) => {
      if (!stream.writableEnded) stream.write(text)
    }
    const tell = (job: JobView) => {
      const over = job.state === 'ready' || job.state === 'failed'
      write(`id: ${++sent}\nevent: ${over ? job.state : 'progress'}\ndata: ${JSON.stringify(job)}\n\n`)
      if (over) stream.end()
    }
    const forget = documents.watch(caller.user_id, params.id, tell)
    const heartbeat = setInterval(() => write(': still here\n\n'), HEARTBEAT_MS)
    open.set(stream, caller.user_id)
    standing(reply).addEventListener('abort', () => stream.end())
    stream.on('close', () => {
      clearInterval(heartbeat)
      forget()
      open.delete(stream)
    })
    tell(documents.job(caller.user_id, params.id))
    return reply.type('text/event-stream').header('x-accel-buffering', 'no').send(stream)
  })

  app.delete(
    '/jobs/:id',
    { config: { access: 'write:rag' }, schema: { params: ById, response: { 204: Type.Null() } } },
    async ({ caller, params }, reply) => {
      await documents.cancel(caller.user_id, params.id)
      return reply.code(204).send(null)
    },
  )
}
