// Streams that never end by themselves, at a service beside auth, and readers that follow them.
import { get, type IncomingMessage } from 'node:http'
import { PassThrough } from 'node:stream'
import type { FastifyReply } from 'fastify'
import { standing } from '../../src/platform/standing.ts'
import { verifier } from './verifier.ts'

interface Teardown {
  teardown(action: () => unknown): void
}

const stuck = Buffer.alloc(64 * 1024)

/** One with an event every few milliseconds, one silent, one with more than its reader takes. */
export type Kind = 'busy' | 'silent' | 'stuck'

export interface Followed {
  status: number | undefined
  /** When it ended, in whatever way, by `performance.now()`. */
  over?: number
  /** It was not cut. */
  whole: boolean
}

export async function endlessStreams(t: Teardown, env: NodeJS.ProcessEnv, authUrl: string) {
  let open = 0
  const endless = (kind: Kind) => (reply: FastifyReply) => {
    const stream = new PassThrough()
    open += 1
    stream.write(': began\n\n')
    const timer = setInterval(() => kind === 'busy' && stream.write('event: tick\n\n'), 5)
    if (kind === 'stuck') for (let i = 0; i < 400; i++) stream.write(stuck)
    stream.on('close', () => {
      clearInterval(timer)
      open -= 1
    })
    const ended = standing(reply)
    if (kind !== 'stuck') ended.addEventListener('abort', () => stream.end())
    return reply.send(stream)
  }
  const routes = Object.fromEntries((['busy', 'silent', 'stuck'] as const).map(kind => [`/${kind}`, endless(kind)]))
  const app = await verifier(t, env, authUrl, routes)
  const looks = { answered: 0, unanswered: 0 }
  const { alive } = app
  app.alive = async caller => {
    const found = await alive(caller).catch(error => {
      looks.unanswered += 1
      throw error
    })
    looks.answered += 1
    return found
  }
  const url = await app.listen({ host: '127.0.0.1', port: 0 })

  return {
    /** Looks at whether their readers are signed in, by whether Redis told. */
    looks,

    /** How many are open as the service sees it. */
    open: () => open,

    /** Opens one. A reader of the stuck kind does not read, it only waits for the end. */
    async follow(kind: Kind, headers: Record<string, string>): Promise<Followed> {
      const reply = await new Promise<IncomingMessage>((resolve, reject) =>
        get(`${url}/${kind}`, { headers, agent: false }, resolve).on('error', reject),
      )
      const state: Followed = { status: reply.statusCode, whole: false }
      for (const event of ['close', 'error'])
        reply.on(event, () => {
          state.over ??= performance.now()
        })
      reply.on('end', () => {
        state.whole = true
      })
      if (kind === 'stuck') reply.once('readable', () => undefined)
      else reply.resume()
      t.teardown(() => reply.destroy())
      return state
    },
  }
}
