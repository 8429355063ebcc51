// Runs, looked at afterwards, followed, and stopped.
import Type from 'typebox'
import { failure } from '../../platform/errors.ts'
import type { Routes } from '../../platform/service.ts'
import { replyOf } from '../endings.ts'
import { serverSent } from '../follow.ts'
import type { House } from '../plugin.ts'
import { ById, RunView } from '../schemas.ts'
import { followed, leaving, sendStream } from './stream.ts'

export async function runRoutes(app: Routes, house: House) {
  const { runs } = house

  app.get(
    '/runs/:id',
    { config: { access: 'read:agent' }, schema: { params: ById, response: { 200: RunView } } },
    async ({ caller, params }) => {
      const { ending, ...run } = await runs.one(caller.user_id, params.id)
      return {
        run_id: run.run_id,
        state: run.state,
        conversation_id: run.conversation_id,
        result: ending?.state === 'done' ? replyOf(run, ending) : null,
        failure: ending?.state === 'error' ? ending.code : null,
        usage: ending?.usage ?? null,
      }
    },
  )

  app.get('/runs/:id/events', { config: { access: 'read:agent' }, schema: { params: ById } }, async (request, reply) => {
    const { caller, params } = request
    const after = request.headers['last-event-id']
    if (after !== undefined && !/^\d{1,16}-\d{1,16}$/.test(String(after)))
      throw failure('invalid_request', 'Last-Event-ID is not the id of an event; send the last one you received')
    await runs.one(caller.user_id, params.id)
    const events = followed(house, reply, { runId: params.id, after: after && String(after), left: leaving(reply) })
    return sendStream(reply, serverSent(events))
  })

  app.delete(
    '/runs/:id',
    { config: { access: 'write:agent' }, schema: { params: ById, response: { 204: Type.Null() } } },
    async ({ caller, params }, reply) => {
      await runs.cancel(caller.user_id, params.id)
      return reply.code(204).send(null)
    },
  )
}
