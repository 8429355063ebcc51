// Many users with nearly the same documents, asking the same things by every route that finds something: whatever a reply holds, every
// id and every secret word in it is the asker's own.
import { createHash } from 'node:crypto'
import type { Test } from 'tap'
import { startStack } from '../../deploy/stack.ts'
import { type Person, person, type Reply } from '../support/client.ts'
import { folder } from '../support/folder.ts'

/** The edge and the services do their work here, not their counting. */
const unlimited = Object.fromEntries(
  ['CALLER', 'UPLOAD', 'ADDRESS', 'LOGIN', 'LOGIN_ACCOUNT', 'AGENT', 'RAG_QUERY'].map(name => [`LIMIT_${name}_PER_MIN`, '0']),
)
const env = { ...unlimited, LIMIT_REGISTER_PER_5MIN: '0', LIMIT_TOKENS_PER_DAY: '1000000000', TOKEN_EXPIRY_MINUTES: '60' }
/** Requests under way at once. */
const AT_ONCE = 6
/** One of so many questions goes to the agent, which does more for it. */
const AGENT_EVERY = 20
/** Of the documents of each user, one in so many holds a secret word of hers. */
const SECRET_EVERY = 4

const digest = (text: string) => createHash('sha256').update(text).digest('hex')
/** One word that stands in no other's document: no stem, no number, no language makes another of it. */
const secretOf = (user: number) =>
  `zq${digest(`secret ${user}`)
    .slice(0, 12)
    .replace(/\d/g, digit => 'ghjkmnprst'[Number(digit)] ?? '')}`
const SECRET = /zq[a-z]{12}/g
const ID = /\b[0-9a-f]{32}\b/g

interface Reader extends Person {
  secret: string
  documents: string[]
  collection: string
}

/** `users` upload `documents` each; then `searches` questions are asked, each by one of them about another. */
export async function crowd(t: Test, users: number, documents: number, searches: number) {
  const stack = await startStack({ dir: folder(t), env })
  t.teardown(() => stack.stop())
  const owner = new Map<string, number>()
  const readers: Reader[] = []

  async function join(i: number) {
    const one = await person(stack.url, `reader-${i}`)
    const secret = secretOf(i)
    const files = Array.from({ length: documents }, (_, k) => ({
      name: k % SECRET_EVERY ? `kiln-${k}.txt` : `kiln-${k}-${secret}.txt`,
      bytes: `Kiln ${k} was fired on day ${k * 7} and its key${k % SECRET_EVERY ? ' hangs by the door' : ` is ${secret}`}.`,
    }))
    const { status, body, text } = await one.upload(...files)
    if (status !== 202) throw new Error(`upload: ${status} ${text}`)
    for (const { job_id } of body.documents) await one.settled(job_id)
    const listed = (await one.send('GET', '/rag/documents?limit=100')).body.documents
    if (listed.some(({ state }: { state: string }) => state !== 'ready'))
      throw new Error(`not all is ready: ${JSON.stringify(listed)}`)
    readers[i] = { ...one, secret, documents: listed.map(({ id }: { id: string }) => id), collection: listed[0].collection_id }
    for (const own of [secret, one.user_id, ...readers[i].documents, readers[i].collection]) owner.set(own, i)
    if (i % 50 === 49) t.comment(`${i + 1} of ${users} users have their documents`)
  }

  const numbers = (n: number) => Array.from({ length: n }, (_, i) => i)
  await join(0)
  const first = readers[0] as Reader
  const questions = numbers(documents).map(k => `When was kiln ${k} fired?`)
  const alone = await scores(first, questions)
  await inTurn(numbers(users).slice(1), join)
  t.same(await scores(first, questions), alone, 'what others store changes no score of the first, to the byte')

  let foreign = 0
  let own = 0
  let asked = 0
  await inTurn(numbers(searches), async i => {
    const asker = i % users
    const other = (asker + 1 + (i % (users - 1))) % users
    const [one, another] = [readers[asker] as Reader, readers[other] as Reader]
    for (const { what, reply, absent } of await ask(one, another, i)) {
      asked += 1
      const found = [...reply.text.replaceAll(another.secret, '').matchAll(SECRET), ...reply.text.matchAll(ID)].map(
        ([word]) => word,
      )
      const strange = found.filter(word => owner.has(word) && owner.get(word) !== asker)
      const told = reply.text.includes(another.secret) && !what.includes(another.secret)
      if (strange.length > 0 || told) foreign += 1
      if (strange.length > 0 || told) t.fail(`${what}: ${reply.text.slice(0, 500)}`)
      if (reply.status !== (absent ? 404 : 200)) t.fail(`${what}: ${reply.status} ${reply.text.slice(0, 200)}`)
      own += found.filter(word => owner.get(word) === asker).length
    }
    if (i % 1000 === 999) t.comment(`${i + 1} of ${searches} questions`)
  })
  t.equal(foreign, 0, `of ${asked} replies`)
  t.ok(own > asked / 2, `${own} ids and words of the askers themselves were seen`)
}

/** One question of `one`, about what all have or about the secret of `another`; and now and then a request for what is another's. */
async function ask(one: Reader, another: Reader, i: number): Promise<{ what: string; reply: Reply; absent?: boolean }[]> {
  const query = [`When was kiln ${i % 7} fired?`, `the key ${one.secret}`, `the key ${another.secret}`][i % 3] ?? ''
  const mode = ['hybrid', 'vector', 'lexical'][Math.floor(i / 3) % 3]
  const asked = async (path: string, body: object, absent = false) => ({
    what: `${path} ${JSON.stringify(body)}`,
    reply: await one.send('POST', path, body),
    absent,
  })
  const theirs = { collection_ids: [another.collection] }
  if (i % AGENT_EVERY === 0) {
    return [
      await asked('/agent/query', { user_request: query }),
      await asked('/agent/query', { user_request: query, ...theirs }, true),
      await asked('/v1/chat/completions', { model: 'extractive', messages: [{ role: 'user', content: query }] }),
    ]
  }
  if (i % AGENT_EVERY === 1) {
    const [document] = another.documents
    const got = async (path: string, absent = false) => ({ what: path, reply: await one.send('GET', path), absent })
    return [
      await got(`/rag/documents/${document}`, true),
      await got(`/rag/documents/${document}/text`, true),
      await got(`/rag/collections/${another.collection}`, true),
      await got('/rag/documents'),
      await got('/rag/collections'),
      await asked('/rag/search', { query, ...theirs }, true),
    ]
  }
  const older = ['/rag/retrieve', '/rag/lookup', '/rag/query'][i % 8]
  return [
    older ? await asked(older, { query, top_k: 10 }) : await asked('/rag/search', { query, mode, top_k: 10, explain: true }),
  ]
}

/** What a search gives, without the time it took. */
async function scores(one: Person, questions: string[]): Promise<unknown[]> {
  const found = []
  for (const query of questions) {
    const { body } = await one.send('POST', '/rag/search', { query, top_k: 20, explain: true })
    found.push(body.passages)
  }
  return found
}

/** Does `work` for each, a few at once. */
async function inTurn(items: number[], work: (item: number) => Promise<void>) {
  const left = items.values()
  await Promise.all(
    Array.from({ length: AT_ONCE }, async () => {
      for (const item of left) await work(item)
    }),
  )
}
