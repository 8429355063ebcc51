// Everything that ends a credential, and what each of it must end.
import { password } from '../support/services.ts'
import type { Ask, Person } from './house.ts'

export interface Held {
  ada: Person
  /** A second session of the same user. */
  second: Person
  key: { id: string; headers: { authorization: string } }
}

interface House {
  ask: Ask
  admin: Person
  person(username: string): Promise<Person>
}

/** Two sessions and an API key of one user. */
export async function held({ person }: House, username: string): Promise<Held> {
  const ada = await person(username)
  const second = await person(username)
  const made = await ada.ask('POST', '/api-keys', { name: 'k', permissions: ['read:rag'], expires_in_days: 1 })
  return { ada, second, key: { id: made.body.id, headers: { authorization: `Bearer ${made.body.key}` } } }
}

export interface Act {
  name: string
  act(held: Held): Promise<{ status: number }>
  /** Whether it ends the session that is used, the second one, the API key. */
  ends: [boolean, boolean, boolean]
}

export const actsOf = ({ ask, admin }: House): Act[] => [
  { name: 'signing out', act: ({ ada }) => ada.ask('POST', '/logout'), ends: [true, false, false] },
  {
    name: 'ending another session',
    act: ({ ada, second }) => ada.ask('DELETE', `/sessions/${second.session_id}`),
    ends: [false, true, false],
  },
  { name: 'ending all sessions', act: ({ ada }) => ada.ask('DELETE', '/sessions'), ends: [true, true, false] },
  {
    name: 'changing the password',
    act: ({ ada }) => ada.ask('PUT', '/me/password', { current_password: password, new_password: `${password} 2` }),
    ends: [false, true, false],
  },
  {
    name: 'a change of role',
    act: ({ ada }) => admin.ask('PATCH', `/users/${ada.user_id}`, { role: 'guest' }),
    ends: [true, true, false],
  },
  {
    name: 'disabling the account',
    act: ({ ada }) => admin.ask('PATCH', `/users/${ada.user_id}`, { disabled: true }),
    ends: [true, true, true],
  },
  { name: 'deleting the account', act: ({ ada }) => admin.ask('DELETE', `/users/${ada.user_id}`), ends: [true, true, true] },
  {
    name: 'deleting the API key',
    act: ({ ada, key }) => ada.ask('DELETE', `/api-keys/${key.id}`),
    ends: [false, false, true],
  },
  {
    name: 'a refresh token that comes back',
    async act({ ada }) {
      const next = await ask('POST', '/refresh', { refresh_token: ada.refresh_token })
      await ask('POST', '/refresh', { refresh_token: next.body.refresh_token })
      const reuse = await ask('POST', '/refresh', { refresh_token: ada.refresh_token })
      return { status: reuse.status === 401 ? 200 : 0 }
    },
    ends: [true, false, false],
  },
]
