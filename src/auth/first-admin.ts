// The first admin: named by the configuration, or whoever holds the one-time token printed at the first start. Never whoever comes first.
import type { Failure } from '../platform/errors.ts'
import { type Teller, telling } from '../platform/telling.ts'
import type { AuthConfig } from './config.ts'
import type { Invites } from './invites.ts'
import type { Passwords } from './passwords.ts'
import { checkName } from './usernames.ts'
import { newUserId, type Users } from './users.ts'

const TOKEN_MS = 86_400_000

interface Parts {
  users: Users
  passwords: Passwords
  invites: Invites
  teller: Teller
}

/** While there is no admin: makes the configured one, and where that is none or the name is somebody's, `print`s a token for making it. */
export async function seedAdmin(config: AuthConfig, { users, passwords, invites, teller }: Parts, print: (line: string) => void) {
  if (await users.hasAdmin()) return
  const { ADMIN_USERNAME, ADMIN_PASSWORD } = config
  if (ADMIN_USERNAME && ADMIN_PASSWORD) {
    try {
      await make(ADMIN_USERNAME, ADMIN_PASSWORD)
    } catch (error) {
      const { code, message } = error as Failure
      if (code === 'invalid_request') throw new Error(`ADMIN_USERNAME or ADMIN_PASSWORD cannot be used: ${message}`)
      if (code !== 'conflict') throw error
    }
    if (await users.hasAdmin()) return
  }
  const { invite } = await invites.make('admin', TOKEN_MS)
  print(`There is no admin yet. POST /auth/register with "invite": "${invite}" makes one; this works once, within a day.\n`)

  async function make(username: string, password: string) {
    const known = await users.byName(username)
    // A start that was cut short can have left an admin who is not on the list yet; anybody else of that name is none.
    if (known) return known.role === 'admin' && users.update(known.user_id, { role: 'admin' })
    checkName(username)
    const hash = await passwords.hash(password)
    const user_id = newUserId()
    return telling(teller, { action: 'register', user_id, detail: 'admin' }, () => users.create(username, hash, 'admin', user_id))
  }
}
