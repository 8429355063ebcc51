// The open streams of the real services, at the edge: each ends when the session that follows ends, and no other does.
import { get } from 'node:http'
import t from 'tap'
import { upstream } from '../agent/upstream.ts'
import { asking, personAt, until } from '../auth/house.ts'
import { startStack } from './stack.ts'

const model = await upstream(t)
const { auth, agent, rag, edge } = await startStack(t, {
  more: { DEFAULT_LLM_PROVIDER: 'openai_compatible', DEFAULT_LLM_MODEL: 'm', DEFAULT_LLM_BASE_URL: model.url },
})
const { port } = await edge()

interface Followed {
  text: string
  over: boolean
}

/** Follows a stream of events at the edge. */
function follow(path: string, headers: Record<string, string>): Followed {
  const followed = { text: '', over: false }
  const request = get({ host: '127.0.0.1', port, path, headers, agent: false }, reply => {
    reply.setEncoding('utf8').on('data', text => (followed.text += text))
    for (const event of ['close', 'error']) reply.on(event, () => (followed.over = true))
  })
  request.on('error', () => (followed.over = true))
  t.teardown(() => request.destroy())
  return followed
}

t.test('the stream of a job', async t => {
  const [ada, second] = [await personAt(auth.app, 'ada'), await personAt(auth.app, 'ada')]
  const text = Array.from({ length: 150_000 }, (_, i) => `word${i} and ${i * 7}.`).join(' ')
  const { body } = await asking(rag.app, ada.headers)('POST', '/documents', { title: 'long', text })
  const [{ job_id }] = body.documents
  const kept = follow(`/rag/jobs/${job_id}/events`, ada.headers)
  const ended = follow(`/rag/jobs/${job_id}/events`, second.headers)
  await until(() => kept.text !== '' && ended.text !== '')
  await second.ask('POST', '/logout')
  await until(() => ended.over)
  t.notOk(kept.over, 'another session goes on')
  t.notMatch(ended.text, /event: (ready|failed)/)
  await asking(rag.app, ada.headers)('DELETE', `/jobs/${job_id}`)
  // Cutting a long text is not broken off: on a busy machine this takes a while.
  while (!kept.over) await new Promise(resolve => setTimeout(resolve, 50))
})

t.test('the stream of a run', async t => {
  const [eve, second] = [await personAt(auth.app, 'eve'), await personAt(auth.app, 'eve')]
  model.play(() => undefined)
  const asked = model.next()
  const answer = asking(agent.app, eve.headers)('POST', '/query', { user_request: 'Is anybody there?', mode: 'chat' })
  await asked
  // What nobody follows is written a moment later.
  let run = ''
  while (run === '') [run = ''] = await agent.app.redis.zrange(`runs:{${eve.user_id}}`, '0', '0', 'REV')
  const kept = follow(`/agent/runs/${run}/events`, eve.headers)
  const ended = follow(`/agent/runs/${run}/events`, second.headers)
  await until(() => kept.text !== '' && ended.text !== '')
  await second.ask('POST', '/logout')
  await until(() => ended.over)
  t.notOk(kept.over, 'another session goes on')
  t.notMatch(ended.text, /event: (done|error|cancelled)/)
  await asking(agent.app, eve.headers)('DELETE', `/runs/${run}`)
  t.match(await answer, { status: 499 })
  await until(() => kept.over)
})
