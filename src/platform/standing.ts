// A reply that goes on for long outlives the look at its credential that let it begin. So that look is repeated while it lasts, and
// a reply whose caller was signed out meanwhile ends within five seconds, whether its reader takes what is sent or not.
import type { FastifyReply } from 'fastify'

/** Between two looks, in milliseconds. */
const LOOK_MS = 1500
/** Looks in a row that Redis may leave unanswered before the caller counts as signed out. */
const UNANSWERED_MAX = 2
/** How long the reply may take to end by itself, in milliseconds; then its connection is cut. */
const END_MS = 1000

/** Aborted once the caller of `reply` is no longer signed in; from then on the reply has a second to end. Looks until it is closed. */
export function standing(reply: FastifyReply): AbortSignal {
  const { caller, server } = reply.request
  const ended = new AbortController()
  let unanswered = 0
  let timer = setTimeout(look, LOOK_MS)
  reply.raw.once('close', () => clearTimeout(timer))

  async function look() {
    const alive = await server.alive(caller).catch(() => undefined)
    unanswered = alive === undefined ? unanswered + 1 : 0
    if (reply.raw.destroyed) return
    const goesOn = alive ?? unanswered < UNANSWERED_MAX
    if (!goesOn) ended.abort()
    timer = goesOn ? setTimeout(look, LOOK_MS) : setTimeout(() => reply.raw.destroy(), END_MS)
  }
  return ended.signal
}
