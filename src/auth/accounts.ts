// What a person does with an account (register, sign in, stay signed in, change the password) and what an admin does to one.
import { type Permission, type Role, roles } from '../contracts/claims.ts'
import { failure } from '../platform/errors.ts'
import { ending, type Teller, telling } from '../platform/telling.ts'
import type { ApiKeys } from './api-keys.ts'
import type { Guesses } from './guesses.ts'
import type { Invites } from './invites.ts'
import type { Keyring } from './keyring.ts'
import type { Passwords } from './passwords.ts'
import type { Session } from './schemas.ts'
import type { OpenSession, Sessions } from './sessions.ts'
import { checkName } from './usernames.ts'
import { newUserId, TAKEN, type User, type Users } from './users.ts'

/** Who is at the door, before or after signing in. */
export interface Visitor extends Teller {
  address: string
  /** The address as limits count it. */
  network: string
  agent: string
}

interface Parts {
  users: Users
  sessions: Sessions
  apiKeys: ApiKeys
  passwords: Passwords
  guesses: Guesses
  invites: Invites
  keyring: Keyring
  registration: 'open' | 'invite' | 'closed'
  /** Tells rag and agent to erase what was this user's. */
  erase(userId: string): Promise<void>
}
interface Credentials {
  username: string
  password: string
}

const USED_UP = 'That invitation is used up or has run out'

export function openAccounts({ users, sessions, apiKeys, passwords, guesses, invites, keyring, registration, erase }: Parts) {
  /** A fresh access token for a session, and all a client keeps of it. */
  async function describe({ user_id, session_id, refresh_token }: OpenSession, user: User, message: string): Promise<Session> {
    const permissions: Permission[] = [...roles[user.role]]
    const signed = await keyring.sign({ sub: user_id, sid: session_id, jti: crypto.randomUUID(), role: user.role, permissions })
    const user_info = { user_id, username: user.username, role: user.role, permissions }
    return { ...signed, token_type: 'Bearer', refresh_token, session_id, message, user_info }
  }

  /** The role an invitation gives here and now: where registration is closed, and once there is an admin, the one-time token only. */
  async function invitedAs(invite: string): Promise<Role | null> {
    const role = await invites.role(invite)
    if (role === 'admin') return (await users.hasAdmin()) ? null : role
    return registration === 'closed' ? null : role
  }

  return {
    /** Makes an account. An invitation is used up only by a registration that succeeds. */
    async register({ username, password, invite }: Credentials & { invite?: string }, visitor: Visitor): Promise<User> {
      const invited = invite ? await invitedAs(invite) : null
      if (invite ? !invited : registration !== 'open') {
        await visitor.audit({ action: 'register', outcome: 'denied', detail: invite ? 'invite' : registration })
        throw failure('forbidden', invite ? USED_UP : 'Registration is closed here; ask an admin for an invitation')
      }
      // Both before the hash, which costs.
      checkName(username)
      if (await users.byName(username)) throw failure('conflict', TAKEN)
      const hash = await passwords.hash(password)
      const role: Role = invited ?? 'user'
      const user_id = newUserId()
      return telling(visitor, { action: 'register', user_id, detail: role }, async () => {
        const user = await users.create(username, hash, 'user', user_id)
        if (invite && !(await invites.use(invite))) {
          await users.remove(user_id)
          throw failure('forbidden', USED_UP)
        }
        return role === 'user' ? user : users.update(user_id, { role })
      })
    },

    /** Signs in. A wrong password, an absent name and a disabled account are one and the same to the visitor, in answer and in work. */
    async login({ username, password }: Credentials, visitor: Visitor): Promise<Session> {
      const attempt = await guesses.attempt(username, visitor.network).catch(async error => {
        await visitor.audit({ action: 'login', outcome: 'denied', detail: 'too many attempts' })
        throw error
      })
      const user = await users.byName(username)
      const right = await passwords.matches(password, user?.password)
      if (!user || !right || user.disabled) {
        await visitor.audit({ action: 'login', outcome: 'denied', user_id: user?.user_id })
        await attempt.failed()
        throw failure('invalid_credentials')
      }
      await visitor.audit({ action: 'login', outcome: 'allowed', user_id: user.user_id })
      const renewed = await passwords.renewed(password, user.password)
      if (renewed) await users.replacePassword(user.user_id, user.password, renewed)
      const session = await sessions.open(user.user_id, renewed ?? user.password, visitor)
      await attempt.succeeded()
      return describe(session, user, 'Signed in')
    },

    /** Trades a refresh token for its successor. An old one that comes back ends the session it belonged to. */
    async refresh(token: string, visitor: Visitor): Promise<Session> {
      const step = await sessions.refresh(token)
      if (step && 'reused' in step) {
        const { user_id, session_id } = step.reused
        await visitor.note({ action: 'refresh_reuse', outcome: 'denied', user_id, target: session_id })
      }
      if (!step || 'reused' in step) throw failure('unauthenticated', 'That refresh token is no longer valid; sign in again')
      const user = await users.get(step.user_id)
      if (!user || user.disabled) throw failure('unauthenticated')
      await visitor.audit({ action: 'refresh', outcome: 'allowed', user_id: user.user_id, target: step.session_id })
      return describe(step, user, 'Refreshed')
    },

    /** Changes the password and ends all sessions but the one that did it. */
    async changePassword(
      userId: string,
      sessionId: string | undefined,
      change: { current: string; next: string },
      visitor: Visitor,
    ) {
      const user = await users.get(userId)
      const attempt = await guesses.attempt(user?.username ?? '', visitor.network)
      if (!user || !(await passwords.matches(change.current, user.password))) {
        await visitor.audit({ action: 'password_change', outcome: 'denied' })
        await attempt.failed()
        throw failure('invalid_credentials', 'The current password is wrong')
      }
      const hash = await passwords.hash(change.next)
      await ending(visitor, { action: 'password_change', target: userId }, async () => {
        if (!(await sessions.endWithPassword(userId, user.password, hash, sessionId)))
          throw failure('conflict', 'The password was changed meanwhile; try again with the new one')
      })
    },

    /** Changes role or disabled; whatever changes ends the user's sessions. */
    async change(userId: string, changes: { role?: Role; disabled?: boolean }, visitor: Visitor): Promise<User> {
      if (!(await users.get(userId))) throw failure('not_found')
      return ending(visitor, { action: 'user_change', target: userId, detail: JSON.stringify(changes) }, async () => {
        const user = await users.update(userId, changes)
        await sessions.endAll(userId)
        return user
      })
    },

    /** Deletes an account and has everything of it erased elsewhere. Repeating a deletion that was cut short completes it. */
    async remove(userId: string, visitor: Visitor) {
      if (!(await users.get(userId))) throw failure('not_found')
      await ending(visitor, { action: 'user_delete', target: userId }, async () => {
        await users.update(userId, { disabled: true })
        await Promise.all([sessions.endAll(userId), apiKeys.endAll(userId)])
        await erase(userId)
        await users.remove(userId)
      })
    },
  }
}
