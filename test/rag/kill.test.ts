// Rag as a process of its own, killed with SIGKILL while it takes in documents: what it accepted is there afterwards, once and whole.
import { spawn } from 'node:child_process'
import { once } from 'node:events'
import t from 'tap'
import { killAgainAndAgain, main, ragProcess, textOf } from './killing.ts'

const rag = await ragProcess(t)

t.test('killed again and again while it takes documents in, it loses none, shows none by halves and none twice', t =>
  killAgainAndAgain(t, rag, 4),
)

t.test('a second rag on the same folder refuses to start and says why', async t => {
  const env = { ...rag.env, RAG_SERVICE_PORT: '0' }
  const second = spawn(process.execPath, [main], { env, stdio: ['ignore', 'ignore', 'pipe'] })
  let said = ''
  second.stderr?.on('data', part => (said += part))
  const [code] = await once(second, 'exit')
  t.equal(code, 1)
  t.match(said, /^Another rag process has the data folder .*; stop it first/)
})

t.test('asked to stop, it drains and ends with 0, and a job under way goes on at the next start', async t => {
  const { body } = await rag.send('POST', '/documents', { title: 'later', text: textOf('later', 12) })
  t.equal(await rag.end('SIGTERM'), 0)
  await rag.start()
  t.match(await rag.events(body.documents[0].job_id), /^event: ready$/m)
})
