// The first admin: named by the configuration, or whoever holds the one-time token printed at the first start. Never whoever comes first.
import type { Failure } from '../platform/errors.ts'
import type { AuthConfig } from './config.ts'
import type { Invites } from './invites.ts'
import type { Passwords } from './passwords.ts'
import type { Users } from './users.ts'

const TOKEN_MS = 86_400_000

/** Makes the configured admin when that name is free; without one, and while there is no admin, `print`s a token for making it. */
export async function seedAdmin(
  { ADMIN_USERNAME, ADMIN_PASSWORD }: AuthConfig,
  { users, passwords, invites }: { users: Users; passwords: Passwords; invites: Invites },
  print: (line: string) => void,
) {
  if (ADMIN_USERNAME && ADMIN_PASSWORD && !(await users.byName(ADMIN_USERNAME))) {
    try {
      await users.create(ADMIN_USERNAME, await passwords.hash(ADMIN_PASSWORD), 'admin')
    } catch (error) {
      const { code, message } = error as Failure
      if (code === 'invalid_request') throw new Error(`ADMIN_USERNAME or ADMIN_PASSWORD cannot be used: ${message}`)
      if (code !== 'conflict') throw error
    }
  }
  if (await users.hasAdmin()) return
  const { invite } = await invites.make('admin', TOKEN_MS)
  print(`There is no admin yet. POST /auth/register with "invite": "${invite}" makes one; this works once, within a day.\n`)
}
