// Conversations: kept in Redis, owner by owner, each an ordered list of messages whose answers are stored in segments. Everything that
// grows has a bound, the oldest goes first, and what nobody touched for a season goes by itself.
import { randomBytes } from 'node:crypto'
import { userKey } from '../platform/admission.ts'
import { failure } from '../platform/errors.ts'
import { type Redis, script, WHEN_FULL } from '../platform/redis.ts'
import type { Conversation, ConversationList } from './schemas.ts'
import { citationsOf, documentsOf, type Segment, textOf, without } from './segments.ts'

/** What one user keeps, all conversations together; the oldest go first. */
const CONVERSATIONS_MAX = 100
const BYTES_MAX = 4 * 1024 * 1024
/** What is kept of one conversation; a question and its answer are two messages, and the last two stay whatever they take. */
const MESSAGES_MAX = 200
const CONVERSATION_BYTES_MAX = 1024 * 1024
/** Questions given to the flow as context. */
export const EARLIER_MAX = 10
const TITLE_CHARS_MAX = 80
/** How long a conversation nobody adds to is kept, in milliseconds. */
const IDLE_MS = 90 * 86_400_000
/**
 * How long a note that a conversation holds something of a document is kept, in milliseconds. All notes of a conversation are made again
 * when that was last done longer than `IDLE_MS` ago, so that each outlives it.
 */
export const NOTED_MS = 2 * IDLE_MS

/** One question with its answer, as kept. */
export interface Exchange {
  question: string
  segments: Segment[]
  grounded: boolean
  run_id: string
}

type Kept =
  | { role: 'user'; text: string; run_id: string; at: number }
  | { role: 'assistant'; segments: Segment[]; grounded: boolean; run_id: string; at: number }

// KEYS: user, index, conversation, messages, bytes of each. ARGV: id, '1' when it must be new, title, now, two messages, '1' when its notes were just
// made again, idle ms, key prefix of conversations, then the most of: messages and bytes of one, conversations and bytes of all. Returns 0
// when the user or the conversation is gone, so that nothing comes back, and 2, with nothing done, when its notes must be made again first.
const APPEND = `
if redis.call('HGET', KEYS[1], 'disabled') ~= '0' then return 0 end
if ARGV[2] == '1' then redis.call('HSET', KEYS[3], 'title', ARGV[3], 'created', ARGV[4], 'noted', ARGV[4])
elseif redis.call('EXISTS', KEYS[3]) == 0 then return 0 end
local noted = tonumber(redis.call('HGET', KEYS[3], 'noted') or 0)
if ARGV[7] == '1' then redis.call('HSET', KEYS[3], 'noted', ARGV[4])
elseif ARGV[4] - noted > tonumber(ARGV[8]) then return 2 end
redis.call('HSET', KEYS[3], 'updated', ARGV[4])
redis.call('ZADD', KEYS[2], ARGV[4], ARGV[1])
redis.call('RPUSH', KEYS[4], ARGV[5], ARGV[6])
local bytes = redis.call('HINCRBY', KEYS[5], ARGV[1], #ARGV[5] + #ARGV[6])
local messages = redis.call('LLEN', KEYS[4])
while messages > 2 and (messages > tonumber(ARGV[10]) or bytes > tonumber(ARGV[11])) do
  for _, one in ipairs(redis.call('LPOP', KEYS[4], 2)) do bytes = bytes - #one end
  messages = messages - 2
end
redis.call('HSET', KEYS[5], ARGV[1], bytes)
local count, over = redis.call('ZCARD', KEYS[2]), -ARGV[13]
for _, one in ipairs(redis.call('HVALS', KEYS[5])) do over = over + one end
while count > 1 and (count > tonumber(ARGV[12]) or over > 0) do
  local oldest, other = unpack(redis.call('ZRANGE', KEYS[2], 0, 1))
  if oldest == ARGV[1] then oldest = other end
  redis.call('ZREM', KEYS[2], oldest)
  redis.call('DEL', ARGV[9] .. oldest, ARGV[9] .. oldest .. ':messages')
  over = over - (redis.call('HGET', KEYS[5], oldest) or 0)
  redis.call('HDEL', KEYS[5], oldest)
  count = count - 1
end
for i = 2, 5 do redis.call('PEXPIRE', KEYS[i], ARGV[8]) end
return 1`
/** What APPEND says when the notes must be made again first. */
const NOTES_DUE = 2

// KEYS: messages, bytes of each. ARGV: id, a message as it was, as it is to be. By value, since places move when messages are added.
const REPLACE = `${WHEN_FULL}
local at = redis.call('LPOS', KEYS[1], ARGV[2])
if at then
  redis.call('LSET', KEYS[1], at, ARGV[3])
  redis.call('HINCRBY', KEYS[2], ARGV[1], #ARGV[3] - #ARGV[2])
end
return 1`

// KEYS: index, bytes of each, conversation, messages. ARGV: id.
const REMOVE = `
redis.call('ZREM', KEYS[1], ARGV[1])
redis.call('HDEL', KEYS[2], ARGV[1])
return redis.call('DEL', KEYS[3], KEYS[4])`

export type Conversations = ReturnType<typeof openConversations>

export function openConversations(redis: Redis) {
  const append = script(redis, 'append_exchange', APPEND)
  const remove = script(redis, 'remove_conversation', REMOVE)
  const replace = script(redis, 'replace_message', REPLACE)
  const key = (userId: string, id: string) => `conversation:{${userId}}:${id}`
  const messagesKey = (userId: string, id: string) => `${key(userId, id)}:messages`
  const indexKey = (userId: string) => `conversations:{${userId}}`
  const bytesKey = (userId: string) => `${indexKey(userId)}:bytes`

  async function found(userId: string, id: string) {
    const { title, created, updated } = await redis.hgetall(key(userId, id))
    return title === undefined ? [] : [{ id, title, created_at: time(Number(created)), updated_at: time(Number(updated)) }]
  }

  /** All messages, oldest first. */
  async function kept(userId: string, id: string): Promise<Kept[]> {
    return (await redis.lrange(messagesKey(userId, id), 0, -1)).map(one => JSON.parse(one) as Kept)
  }

  /** Head of a conversation; absent and another's are the same 404. */
  async function head(userId: string, id: string) {
    const [one] = await found(userId, id)
    if (!one) throw failure('not_found')
    return one
  }

  const drop = async (userId: string, id: string) =>
    Number(await remove([indexKey(userId), bytesKey(userId), key(userId, id), messagesKey(userId, id)], [id])) > 0

  const self = {
    /** An id for a conversation that begins; it exists once something is appended. */
    next: () => randomBytes(16).toString('hex'),

    /** The last questions asked in a conversation, oldest first. */
    async earlier(userId: string, id: string): Promise<string[]> {
      const [last] = await Promise.all([redis.lrange(messagesKey(userId, id), -2 * EARLIER_MAX, -1), head(userId, id)])
      return last.flatMap(one => {
        const message = JSON.parse(one) as Kept
        return message.role === 'user' ? [message.text] : []
      })
    },

    /**
     * Appends question and answer together; false when the conversation (or the user) was deleted meanwhile. `note` notes that it holds
     * something of documents; it is asked to when the notes there are would end before the conversation.
     */
    async append(
      userId: string,
      id: string,
      isNew: boolean,
      { question, segments, grounded, run_id }: Exchange,
      note: (documents: string[]) => Promise<unknown>,
    ): Promise<boolean> {
      const at = Date.now()
      const asked: Kept = { role: 'user', text: question, run_id, at }
      const answered: Kept = { role: 'assistant', segments, grounded, run_id, at }
      const title = question.replaceAll(/\s+/g, ' ').slice(0, TITLE_CHARS_MAX).toWellFormed()
      const keys = [userKey(userId), indexKey(userId), key(userId, id), messagesKey(userId, id), bytesKey(userId)]
      const messages = [JSON.stringify(asked), JSON.stringify(answered)]
      const bounds = [MESSAGES_MAX, CONVERSATION_BYTES_MAX, CONVERSATIONS_MAX, BYTES_MAX]
      const appended = (isNoted: 0 | 1) =>
        append(keys, [id, isNew ? 1 : 0, title, at, ...messages, isNoted, IDLE_MS, key(userId, ''), ...bounds])
      const said = await appended(0)
      if (said !== NOTES_DUE) return said === 1
      await note((await kept(userId, id)).flatMap(message => ('segments' in message ? documentsOf(message.segments) : [])))
      return (await appended(1)) === 1
    },

    /** Newest first; `cursor` is the place the last page ended at. */
    async list(userId: string, limit: number, cursor?: string): Promise<ConversationList> {
      const ordered = await redis.zrange(indexKey(userId), '0', '-1', 'REV', 'WITHSCORES')
      const places = ordered.flatMap((id, at) => (at % 2 === 0 ? [{ id, updated: Number(ordered[at + 1]) }] : []))
      const [updated = Number.POSITIVE_INFINITY, last = ''] = cursor ? [Number(cursor.split('-')[0]), cursor.split('-')[1]] : []
      const rest = places.filter(one => one.updated < updated || (one.updated === updated && one.id < last))
      const page = rest.slice(0, limit)
      const end = page.at(-1)
      return {
        conversations: (await Promise.all(page.map(({ id }) => found(userId, id)))).flat(),
        next_cursor: end && rest.length > limit ? `${end.updated}-${end.id}` : null,
      }
    },

    /** One conversation with all its messages, oldest first. */
    async one(userId: string, id: string): Promise<Conversation> {
      return { ...(await head(userId, id)), messages: (await kept(userId, id)).map(view) }
    },

    /** Throws `not_found` unless the conversation is there and the user's. */
    demand: async (userId: string, id: string) => void (await head(userId, id)),

    async remove(userId: string, id: string) {
      if (!(await drop(userId, id))) throw failure('not_found')
    },

    /** Takes what came from a document out of a conversation, or out of all of them. */
    async forget(userId: string, documentId: string, id?: string) {
      if (!id) {
        for (const one of await redis.zrange(indexKey(userId), '0', '-1')) await self.forget(userId, documentId, one)
        return
      }
      for (const was of await redis.lrange(messagesKey(userId, id), 0, -1)) {
        const message = JSON.parse(was) as Kept
        if (message.role === 'user' || !documentsOf(message.segments).includes(documentId)) continue
        const segments = without(message.segments, documentId)
        const grounded = message.grounded && citationsOf(segments).length > 0
        const now = JSON.stringify({ ...message, segments, grounded })
        await replace([messagesKey(userId, id), bytesKey(userId)], [id, was, now])
      }
    },

    /** Deletes all conversations of a user. */
    async forgetAll(userId: string) {
      for (const id of await redis.zrange(indexKey(userId), '0', '-1')) await drop(userId, id)
    },
  }
  return self
}

function view(message: Kept) {
  const { role, run_id } = message
  const created_at = time(message.at)
  if (role === 'user') return { role, content: message.text, citations: [], run_id, created_at }
  const { segments, grounded } = message
  return { role, content: textOf(segments), citations: citationsOf(segments), grounded, run_id, created_at }
}

const time = (ms: number) => new Date(ms).toISOString()
