// Jobs: where one stands, told once or at every step, and giving one up.
import { PassThrough } from 'node:stream'
import Type from 'typebox'
import { failure } from '../../platform/errors.ts'
import type { Routes } from '../../platform/service.ts'
import { standing } from '../../platform/standing.ts'
import type { JobView } from '../documents.ts'
import type { House } from '../plugin.ts'
import { ById, Job } from '../schemas.ts'

/** Streams open at once. */
const STREAMS_MAX = 1000
/** Between two signs of life on a quiet stream, in milliseconds. */
const HEARTBEAT_MS = 10_000

export async function jobRoutes(app: Routes, { documents }: House) {
  const open = new Set<PassThrough>()
  app.addHook('preClose', async () => {
    for (const stream of open) stream.end()
  })

  app.get(
    '/jobs/:id',
    { config: { access: 'read:rag' }, schema: { params: ById, response: { 200: Job } } },
    ({ caller, params }) => documents.job(caller.user_id, params.id),
  )

  app.get('/jobs/:id/events', { config: { access: 'read:rag' }, schema: { params: ById } }, ({ caller, params }, reply) => {
    if (open.size >= STREAMS_MAX) throw failure('unavailable')
    const stream = new PassThrough()
    let sent = 0
    const tell = (job: JobView) => {
      const over = job.state === 'ready' || job.state === 'failed'
      stream.write(`id: ${++sent}\nevent: ${over ? job.state : 'progress'}\ndata: ${JSON.stringify(job)}\n\n`)
      if (over) stream.end()
    }
    const forget = documents.watch(caller.user_id, params.id, tell)
    const heartbeat = setInterval(() => stream.write(': still here\n\n'), HEARTBEAT_MS)
    open.add(stream)
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
