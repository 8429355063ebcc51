// Conversations: kept in Redis, owner by owner, each an ordered list of messages whose answers are stored in segments. Everything that
// grows has a bound, the oldest goes first, and what nobody touched for a season goes by itself.
import { randomBytes } from 'node:crypto'
import { userKey } from '../platform/admission.ts'
import { failure } from '../platform/errors.ts'
import { type Redis, script } from '../platform/redis.ts'
import type { Conversation, ConversationList } from './schemas.ts'
import { citationsOf, documentsOf, type Segment, textOf, without } from './segments.ts'

const CONVERSATIONS_MAX = 100
/** Messages kept in one conversation; a question and its answer are two. */
const MESSAGES_MAX = 200
/** Questions given to the flow as context. */
const EARLIER_MAX = 10
const TITLE_CHARS_MAX = 80
/** How long a conversation nobody adds to is kept, in milliseconds. */
export const IDLE_MS = 90 * 86_400_000

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

// KEYS: user, index, conversation, messages. ARGV: id, '1' when it must be new, title, now, two messages, most messages, most
// conversations, idle ms, key prefix of conversations. Returns 0 when the user or the conversation is gone, so that nothing comes back.
const APPEND = `
if redis.call('HGET', KEYS[1], 'disabled') ~= '0' then return 0 end
if ARGV[2] == '1' then redis.call('HSET', KEYS[3], 'title', ARGV[3], 'created', ARGV[4])
elseif redis.call('EXISTS', KEYS[3]) == 0 then return 0 end
redis.call('HSET', KEYS[3], 'updated', ARGV[4])
redis.call('RPUSH', KEYS[4], ARGV[5], ARGV[6])
redis.call('LTRIM', KEYS[4], -ARGV[7], -1)
redis.call('ZADD', KEYS[2], ARGV[4], ARGV[1])
local extra = redis.call('ZCARD', KEYS[2]) - ARGV[8]
for _, id in ipairs(extra > 0 and redis.call('ZRANGE', KEYS[2], 0, extra - 1) or {}) do
  redis.call('DEL', ARGV[10] .. id, ARGV[10] .. id .. ':messages')
  redis.call('ZREM', KEYS[2], id)
end
for i = 2, 4 do redis.call('PEXPIRE', KEYS[i], ARGV[9]) end
return 1`

// KEYS: messages. ARGV: a message as it was, as it is to be. By value, since places move when messages are added.
const REPLACE = `
local at = redis.call('LPOS', KEYS[1], ARGV[1])
if at then redis.call('LSET', KEYS[1], at, ARGV[2]) end
return 1`

// KEYS: index, conversation, messages. ARGV: id.
const REMOVE = `
redis.call('ZREM', KEYS[1], ARGV[1])
return redis.call('DEL', KEYS[2], KEYS[3])`

export type Conversations = ReturnType<typeof openConversations>

export function openConversations(redis: Redis) {
  const append = script(redis, 'append_exchange', APPEND)
  const remove = script(redis, 'remove_conversation', REMOVE)
  const replace = script(redis, 'replace_message', REPLACE)
  const key = (userId: string, id: string) => `conversation:{${userId}}:${id}`
  const messagesKey = (userId: string, id: string) => `${key(userId, id)}:messages`
  const indexKey = (userId: string) => `conversations:{${userId}}`

  async function found(userId: string, id: string) {
    const { title, created, updated } = await redis.hgetall(key(userId, id))
    return title === undefined ? [] : [{ id, title, created_at: time(Number(created)), updated_at: time(Number(updated)) }]
  }

  /** Head of a conversation; absent and another's are the same 404. */
  async function head(userId: string, id: string) {
    const [one] = await found(userId, id)
    if (!one) throw failure('not_found')
    return one
  }

  const drop = async (userId: string, id: string) =>
    Number(await remove([indexKey(userId), key(userId, id), messagesKey(userId, id)], [id])) > 0

  return {
    /** An id for a conversation that begins; it exists once something is appended. */
    next: () => randomBytes(16).toString('hex'),

    /** The last questions asked in a conversation, oldest first. */
    async earlier(userId: string, id: string): Promise<string[]> {
      const [kept] = await Promise.all([redis.lrange(messagesKey(userId, id), -2 * EARLIER_MAX, -1), head(userId, id)])
      return kept.flatMap(one => {
        const message = JSON.parse(one) as Kept
        return message.role === 'user' ? [message.text] : []
      })
    },

    /** Appends question and answer together; false when the conversation (or the user) was deleted meanwhile. */
    async append(
      userId: string,
      id: string,
      isNew: boolean,
      { question, segments, grounded, run_id }: Exchange,
    ): Promise<boolean> {
      const at = Date.now()
      const asked: Kept = { role: 'user', text: question, run_id, at }
      const answered: Kept = { role: 'assistant', segments, grounded, run_id, at }
      const title = question.replaceAll(/\s+/g, ' ').slice(0, TITLE_CHARS_MAX).toWellFormed()
      const keys = [userKey(userId), indexKey(userId), key(userId, id), messagesKey(userId, id)]
      const messages = [JSON.stringify(asked), JSON.stringify(answered)]
      const bounds = [MESSAGES_MAX, CONVERSATIONS_MAX, IDLE_MS]
      return (await append(keys, [id, isNew ? 1 : 0, title, at, ...messages, ...bounds, key(userId, '')])) === 1
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
      const about = await head(userId, id)
      const kept = await redis.lrange(messagesKey(userId, id), 0, -1)
      return { ...about, messages: kept.map(one => view(JSON.parse(one) as Kept)) }
    },

    async remove(userId: string, id: string) {
      if (!(await drop(userId, id))) throw failure('not_found')
    },

    /** Takes what came from a document out of a conversation. */
    async forget(userId: string, id: string, documentId: string) {
      for (const was of await redis.lrange(messagesKey(userId, id), 0, -1)) {
        const message = JSON.parse(was) as Kept
        if (message.role === 'user' || !documentsOf(message.segments).includes(documentId)) continue
        const segments = without(message.segments, documentId)
        const grounded = message.grounded && citationsOf(segments).length > 0
        await replace([messagesKey(userId, id)], [was, JSON.stringify({ ...message, segments, grounded })])
      }
    },

    /** Deletes all conversations of a user. */
    async forgetAll(userId: string) {
      for (const id of await redis.zrange(indexKey(userId), '0', '-1')) await drop(userId, id)
    },
  }
}

function view(message: Kept) {
  const { role, run_id } = message
  const created_at = time(message.at)
  if (role === 'user') return { role, content: message.text, citations: [], run_id, created_at }
  const { segments, grounded } = message
  return { role, content: textOf(segments), citations: citationsOf(segments), grounded, run_id, created_at }
}

const time = (ms: number) => new Date(ms).toISOString()
