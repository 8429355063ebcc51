// Exact request limits. @fastify/rate-limit decides and writes the headers; the counts it decides on were fetched by the admission
// script together with the session, so a limit costs no round trip of its own.
import rateLimit, { normalizeIP } from '@fastify/rate-limit'
import type { FastifyInstance, FastifyRequest } from 'fastify'
import type { SharedConfig } from './config.ts'
import { failure } from './errors.ts'

const MINUTE_MS = 60_000

const rules = {
  caller: { variable: 'LIMIT_CALLER_PER_MIN', windowMs: MINUTE_MS },
  address: { variable: 'LIMIT_ADDRESS_PER_MIN', windowMs: MINUTE_MS },
  register: { variable: 'LIMIT_REGISTER_PER_5MIN', windowMs: 5 * MINUTE_MS },
  login: { variable: 'LIMIT_LOGIN_PER_MIN', windowMs: MINUTE_MS },
  upload: { variable: 'LIMIT_UPLOAD_PER_MIN', windowMs: MINUTE_MS },
  agent: { variable: 'LIMIT_AGENT_PER_MIN', windowMs: MINUTE_MS },
  rag_query: { variable: 'LIMIT_RAG_QUERY_PER_MIN', windowMs: MINUTE_MS },
} as const satisfies Record<string, { variable: keyof SharedConfig; windowMs: number }>

/** What a route may name beside the limit every caller or address has. */
export type LimitName = Exclude<keyof typeof rules, 'caller' | 'address'>

export interface Limit {
  key: string
  max: number
  windowMs: number
}

/** The limits one request counts against, as keys in the slot of `tag` (a user id or an address). A limit of 0 is off. */
export function limitsOf(config: SharedConfig, tag: string, base: 'caller' | 'address', named?: LimitName): Limit[] {
  return (named ? [base, named] : [base])
    .map(name => ({ key: `limit:{${tag}}:${name}`, max: config[rules[name].variable], windowMs: rules[name].windowMs }))
    .filter(({ max }) => max > 0)
}

/** The client address as a limit sees it: IPv6 by /64. */
export function limitAddress(request: FastifyRequest): string {
  return normalizeIP(request.ip)
}

/** How far one limit is used up. `resetMs` is the time until its window ends. */
export interface Count {
  used: number
  max: number
  resetMs: number
}

/** The count that binds: the exceeded one that lasts longest, else the one with the least left. */
export function tightest(counts: Count[]): Count | undefined {
  const rank = ({ used, max, resetMs }: Count) => (used > max ? -resetMs : max - used)
  return counts.toSorted((a, b) => rank(a) - rank(b))[0]
}

/** The headers of a 429 for a limit that is counted elsewhere. `reset` in seconds. */
export function exceeded(max: number, reset: number) {
  return { 'retry-after': reset, 'ratelimit-limit': max, 'ratelimit-remaining': 0, 'ratelimit-reset': reset }
}

/** Registers the limiter; `countOf` gives the binding count of a request, or nothing where no limit applies. */
export async function registerLimits(app: FastifyInstance, countOf: (request: FastifyRequest) => Count | undefined) {
  await app.register(rateLimit, {
    enableDraftSpec: true,
    store: CountedAlready,
    allowList: request => countOf(request) === undefined,
    keyGenerator: request => {
      const count = countOf(request)
      return count ? `${count.used} ${count.resetMs}` : ''
    },
    max: request => countOf(request)?.max ?? 0,
    timeWindow: MINUTE_MS,
    errorResponseBuilder: () => failure('rate_limited'),
  })
}

/** The store the limiter asks: the key already carries the count and the time left. */
class CountedAlready {
  incr(key: string, callback: (error: Error | null, result?: { current: number; ttl: number }) => void) {
    const [used = '0', resetMs = '0'] = key.split(' ')
    callback(null, { current: Number(used), ttl: Number(resetMs) })
  }

  child() {
    return this
  }
}
