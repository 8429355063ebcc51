// Drives every route of a service with every credential, at its own door or through the edge, and compares what it answers with a table
// that was written by hand.
import type { Test } from 'tap'
import { failures } from '../../src/contracts/failure.ts'
import { type Ask, asking } from '../auth/house.ts'
import type { RunningEnvoy } from '../edge/envoy.ts'
import { nobodies, type Running, type Stack, somebodies, type Who } from './stack.ts'

/** What is sent: where to, with which body and headers. */
interface Sent {
  path?: string
  body?: object | undefined
  headers?: Record<string, string>
}

/** One row: the statuses for nobody (each of them), guest, user, other, key, admin; and what each of them sends. */
export interface Row {
  statuses: [nobody: number, guest: number, user: number, other: number, key: number, admin: number]
  /** Called for each request, so that what is used up can be made anew. Its path is the route's when it has no parameter. */
  send?(who: Who): Sent | Promise<Sent>
  /** Credentials end by this route: everybody signs in again after each request. */
  ends?: true
}

/** Statuses that come up again and again. */
export const open = (status = 200): Row['statuses'] => [status, status, status, status, status, status]
export const signedIn = (status = 200): Row['statuses'] => [401, status, status, status, status, status]

/** `METHOD /path` → row. A path that ends in `*` stands for all that begin like it. */
export type Table = Record<string, Row>

const rowOf = (table: Table, route: string) =>
  table[route] ?? Object.entries(table).find(([name]) => name.endsWith('*') && route.startsWith(name.slice(0, -1)))?.[1]

/** Paths that keep their name at the edge, and those of its own rows. */
const UNPREFIXED = /^\/(v1|mcp|docs|\.well-known)\b/
const rows: Record<string, string> = {
  '/gateway/health': '/health',
  '/gateway/config': '/api/config',
  '/gateway/services': '/api/services',
}

/** Asks the edge for what a service has at a path. */
function askingThrough(edge: RunningEnvoy, name: string, headers: Record<string, string>): Ask {
  return async (method, path, body, more) => {
    const at = rows[path] ?? (UNPREFIXED.test(path) ? path : `/${name}${path}`)
    const sent = { ...headers, ...(more?.headers as Record<string, string>), ...(body && { 'content-type': 'application/json' }) }
    const reply = await edge.ask(at, { method, headers: sent, ...(body && { body: JSON.stringify(body) }) })
    const isJson = String(reply.headers['content-type']).startsWith('application/json')
    return { status: reply.status, headers: reply.headers, body: isJson ? reply.json : reply.text }
  }
}

/** For whom the edge is sterner, or knows too little: it reads the role in the token, and has not heard that the session ended. */
const early = (who: Who, { statuses }: Row) => (who === 'revoked' || who === 'disabled') && statuses[2] === 403

/**
 * Holds `service` to `table`: no route without a row, no row without a route, and in every cell the status that stands there. With `edge`
 * every request goes through it; metrics are not to be had there.
 */
export async function drive(t: Test, stack: Stack, service: Running, table: Table, edge?: RunningEnvoy) {
  const routes = service.routes.filter(route => !route.startsWith('HEAD '))
  const bare = (list: string[]) => [...new Set(list)].toSorted()
  t.same(bare(routes.filter(route => !rowOf(table, route))), [], 'every route has its row')
  t.same(
    Object.keys(table).filter(
      name => !(name.endsWith('*') ? routes.some(one => one.startsWith(name.slice(0, -1))) : routes.includes(name)),
    ),
    [],
    'every row has its route',
  )
  for (const route of bare(routes)) {
    const row = rowOf(table, route)
    if (!row) continue
    const [method = '', declared = ''] = route.split(' ')
    const hidden = edge && declared === '/metrics'
    const columns: [Who, number][] = [
      ...nobodies.map(who => [who, row.statuses[0]] as [Who, number]),
      ...somebodies.map((who, i) => [who, row.statuses[i + 1]] as [Who, number]),
    ]
    for (const [who, expected] of columns) {
      const { path = declared, body, headers = {} } = (await row.send?.(who)) ?? {}
      const { headers: credential } = stack.as(who)
      const ask = edge ? askingThrough(edge, service.name, credential) : asking(service.app, credential)
      const reply = await ask(method as 'GET', path, body, { headers })
      const whole =
        reply.status < 400 || (reply.body.code in failures && failures[reply.body.code as 'internal'][0] === reply.status)
      const right = hidden ? reply.status === 404 : reply.status === expected || (edge && reply.status === 403 && early(who, row))
      t.ok(right && whole, `${route} for ${who}: ${reply.status}, expected ${expected} ${cut(reply.body)}`)
      if (!edge && method === 'GET' && expected >= 400 && service.routes.includes(`HEAD ${declared}`)) {
        const head = await ask('HEAD', path, undefined, { headers })
        t.equal(head.status, expected, `HEAD ${declared} for ${who}`)
      }
      if (row.ends && reply.status < 300) await stack.arrive()
    }
  }
}

const cut = (body: unknown) => (typeof body === 'string' ? body : JSON.stringify(body)).slice(0, 120)

/** What every service has beside its own routes. */
export const common: Table = {
  'GET /health': { statuses: open() },
  'GET /ready': { statuses: open() },
  'GET /gateway/health': { statuses: open() },
  'GET /metrics': { statuses: open() },
  'GET /openapi.json': { statuses: open() },
}
