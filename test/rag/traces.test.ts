// What is erased leaves no trace: a planted word is looked for in every answer and in the bytes of every file, those of Redis included.
import { globSync, readFileSync, statSync } from 'node:fs'
import { join } from 'node:path'
import t, { type Test } from 'tap'
import { folder } from '../deploy/folder.ts'
import { type Person, person } from '../support/client.ts'

const ADMIN = { ADMIN_USERNAME: 'root', ADMIN_PASSWORD: 'correct horse battery' }
const { dir, run, url } = await folder(t)
const started = await run('start', { ...ADMIN, LIMIT_ADDRESS_PER_MIN: '0' })
if (started.code !== 0) throw new Error(started.stderr)

/** Files below the folder that hold the word. */
const holding = (word: string, below = '.') => globSync(`${below}/**`, { cwd: dir }).filter(path => holds(join(dir, path), word))

/** Whether it is a file with the word in it; one that goes while it is looked at has none. */
function holds(path: string, word: string): boolean {
  try {
    return statSync(path).isFile() && readFileSync(path).includes(word)
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return false
    throw error
  }
}

/** Uploads a document with the word in its text and its name, and has it told in an answer. */
async function plant(t: Test, who: Person, word: string) {
  const text = `The keeper of the lighthouse at Gorm is called ${word} and lives alone.`
  const { body } = await who.upload({ name: `${word}.txt`, bytes: text })
  const [{ id, job_id }] = body.documents
  t.match((await who.settled(job_id)).body, { state: 'ready' })
  const asked = await who.send('POST', '/agent/query', { user_request: 'Who is the keeper of the lighthouse at Gorm?' })
  t.match(asked.body.final_response, word, 'the answer tells it')
  return { id, conversation: asked.body.conversation_id as string }
}

t.test(
  'a deleted document and a deleted user are in no answer and in no file of rag; after a purge in no file at all',
  async t => {
    const [ada, bob, root] = [await person(url, 'ada'), await person(url, 'bob'), await person(url, 'root')]
    const hers = await plant(t, ada, 'Quixotilda')
    await plant(t, bob, 'Vormundolf')
    t.ok(holding('Quixotilda', 'data').length > 0, 'the search of files finds what is there')
    const again = await ada.send('POST', '/rag/documents', { title: 'kept', text: 'Gorm has a lighthouse of stone.' })
    await ada.settled(again.body.documents[0].job_id)

    const { body: receipt } = await ada.send('DELETE', `/rag/documents/${hers.id}`)
    for (let pending = receipt.pending; pending; )
      pending = (await ada.send('GET', `/rag/erasures/${receipt.receipt_id}`)).body.pending
    t.equal((await root.send('DELETE', `/auth/users/${bob.user_id}`)).status, 204)
    while (holding('Vormundolf', 'data/rag/collections').length > 0) await new Promise(setImmediate)

    const found = await ada.send('POST', '/rag/search', { query: 'the keeper Quixotilda at Gorm', top_k: 100 })
    t.notMatch(found.text, 'Quixotilda')
    t.match(found.text, 'lighthouse of stone')
    for (const path of ['', '/text', '/content']) t.equal((await ada.send('GET', `/rag/documents/${hers.id}${path}`)).status, 404)
    const replayed = await ada.send('GET', `/agent/conversations/${hers.conversation}`)
    t.equal(replayed.status, 200)
    t.notMatch(replayed.text, 'Quixotilda')
    t.notMatch((await ada.send('GET', '/rag/documents')).text, 'Quixotilda')

    t.equal((await run('stop')).code, 0)
    for (const word of ['Quixotilda', 'Vormundolf']) {
      t.same(holding(word, 'data/rag'), [], `${word} in the files of rag`)
      t.same(holding(word, 'run'), [], `${word} in logs and the like`)
    }
    t.match(await run('purge', { YES: '1' }), { code: 0 })
    for (const word of ['Quixotilda', 'Vormundolf', 'lighthouse of stone']) t.same(holding(word), [], `${word} after the purge`)
  },
)
