// What is stored, replaced or deleted only while it still is what was read before: no change of somebody else's is lost, and nothing that
// was deleted meanwhile comes back.
import { type Redis, script } from '../platform/redis.ts'

const REPLACE = `
if redis.call('HGET', KEYS[1], ARGV[1]) ~= ARGV[2] then return 0 end
redis.call('HSET', KEYS[1], ARGV[1], ARGV[3])
return 1`

const DELETE = `if redis.call('GET', KEYS[1]) == ARGV[1] then return redis.call('DEL', KEYS[1]) end return 0`

/** Makes the function that replaces one field; false when `before` was no longer there. */
export function openReplace(redis: Redis) {
  const replace = script(redis, 'replace_field', REPLACE)
  return async (key: string, field: string, before: string, after: string) => (await replace([key], [field, before, after])) === 1
}

/** Makes the function that deletes a key, if `value` is still what it holds. */
export function openDelete(redis: Redis) {
  const remove = script(redis, 'delete_if', DELETE)
  return async (key: string, value: string) => void (await remove([key], [value]))
}
