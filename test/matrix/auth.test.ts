import t from 'tap'
import { password } from '../support/services.ts'
import { common, drive, open, signedIn, type Table } from './drive.ts'
import { startStack } from './stack.ts'

const stack = await startStack(t)
const { auth } = stack
let made = 0
const anew = (prefix: string) => `${prefix}${++made}`
const ask = stack.ask(auth, 'anonymous')

/** An account of its own for each request that changes one. */
async function account(): Promise<string> {
  const { body } = await ask('POST', '/register', { username: anew('target'), password })
  return body.user_id
}
const admins = (status: number): [number, number, number, number, number, number] => [401, 403, 403, 403, 403, status]
/** For callers who signed in, not for keys. */
const people = (status: number): [number, number, number, number, number, number] => [401, status, status, status, 403, status]

const table: Table = {
  ...common,
  'GET /.well-known/jwks.json': { statuses: open() },
  'GET /docs*': { statuses: open(), send: () => ({ path: '/docs/json' }) },

  'POST /register': { statuses: open(201), send: () => ({ body: { username: anew('new'), password } }) },
  'POST /login': { statuses: open(), send: () => ({ body: { username: 'other', password } }) },
  'POST /refresh': {
    statuses: open(),
    send: async () => ({
      body: { refresh_token: (await ask('POST', '/login', { username: 'other', password })).body.refresh_token },
    }),
  },
  'POST /validate': { statuses: signedIn() },
  'GET /me': { statuses: signedIn() },
  'POST /logout': { statuses: people(204), ends: true },
  'PUT /me/password': {
    statuses: people(401),
    send: () => ({ body: { current_password: 'not the right one', new_password: 'and never the new one' } }),
  },

  'GET /sessions': { statuses: signedIn() },
  'DELETE /sessions': { statuses: people(204), ends: true },
  'DELETE /sessions/:id': {
    statuses: [401, 404, 204, 404, 403, 404],
    send: async () => ({
      path: `/sessions/${(await ask('POST', '/login', { username: 'user', password })).body.session_id}`,
    }),
  },

  'POST /api-keys': {
    statuses: [401, 403, 201, 201, 403, 201],
    send: () => ({ body: { name: 'k', permissions: ['read:rag'], expires_in_days: 1 } }),
  },
  'GET /api-keys': { statuses: signedIn() },
  'DELETE /api-keys/:id': {
    statuses: [401, 404, 204, 404, 403, 404],
    send: async () => ({ path: `/api-keys/${(await stack.key(stack.user())).id}` }),
  },

  'GET /users': { statuses: admins(200) },
  'GET /users/:id': { statuses: admins(200), send: async () => ({ path: `/users/${await account()}` }) },
  'PATCH /users/:id': {
    statuses: admins(200),
    send: async () => ({ path: `/users/${await account()}`, body: { disabled: true } }),
  },
  'DELETE /users/:id': { statuses: admins(204), send: async () => ({ path: `/users/${await account()}` }) },
  'POST /invites': { statuses: admins(201) },

  'GET /audit': { statuses: admins(200) },
  'GET /audit/verify': { statuses: admins(200) },
  'GET /audit/head': { statuses: admins(200) },

  'GET /gateway/config': { statuses: admins(200) },
  'GET /gateway/services': { statuses: admins(200) },
}

t.test('auth answers each route to each caller as the table says', t => drive(t, stack, auth, table))

t.test('and through the edge', async t => drive(t, stack, auth, table, await stack.edge()))
