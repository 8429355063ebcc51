// The bounds of the tool loop: what is called wrongly, again, too often or too much at once does not run, and what is offered is what may run.
import { writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { setTimeout as pause } from 'node:timers/promises'
import t from 'tap'
import { house } from './house.ts'
import { calls, type Sent, says, upstream } from './upstream.ts'

const servers = join(t.testdir(), 'servers.json')
const program = [join(import.meta.dirname, 'tool-server.ts')]
const far = { command: process.execPath, args: program, tools: ['add'], permission: 'write:agent' }
writeFileSync(servers, JSON.stringify({ mcpServers: { far } }))

const model = await upstream(t)
const { person, app } = await house(t, {
  DEFAULT_LLM_PROVIDER: 'openai_compatible',
  DEFAULT_LLM_MODEL: 'scripted',
  DEFAULT_LLM_BASE_URL: model.url,
  MCP_SERVERS: servers,
})
const ada = await person('ada')
await ada.store('wells', 'The north well was sealed on 3 May 1921 by Ines Okafor.')
const ours = ['search_documents', 'read_document', 'calculator', 'current_time']

/** Asks a model that calls these tools in every turn; gives what was run of it, and every request the model got. */
async function ran(made: (turn: number) => [name: string, given: string][]) {
  const from = model.sent.length
  model.play((_, reply) => calls(reply, ...made(model.sent.length - from)))
  const reply = await ada.ask({ user_request: 'When was the north well sealed?' })
  t.match(reply.json(), { grounded: true, answerer: 'extractive', final_response: /3 May 1921/ }, reply.body)
  const [first, ...steps] = reply.json().steps
  t.match(first, { tool: 'search_documents', ok: true })
  return { steps, sent: model.sent.slice(from) }
}
/** A word that stands in no document. */
const word = (at: number) => String.fromCharCode(97 + at).repeat(3)
const told = (sent?: Sent) => sent?.messages.filter(({ role }) => role === 'tool').map(({ content }) => content) ?? []

t.test('the same call runs once, and one who goes on with it is left without tools', async t => {
  const { steps, sent } = await ran(() => [['search_documents', '{"query":"north well"}']])
  t.match(steps, [{ tool: 'search_documents', arguments: { query: 'north well' }, ok: true }])
  t.equal(steps.length, 1)
  t.same(
    sent.map(({ tools = [] }) => tools.length),
    [4, 4, 4, 4, 0],
  )
  t.match(told(sent.at(-1)).slice(1), Array(3).fill(/made before/))
})

t.test('calls without end are ended', async t => {
  const { steps, sent } = await ran(turn => [['search_documents', `{"query":"north well ${word(turn)}"}`]])
  t.equal(steps.length, 6)
  t.same(
    sent.map(({ tools = [] }) => tools.length),
    [4, 4, 4, 4, 4, 4, 0],
  )
})

t.test('of many calls at once a few run', async t => {
  const { steps, sent } = await ran(turn =>
    Array.from({ length: turn > 1 ? 1 : 20 }, (_, at): [string, string] => ['search_documents', `{"query":"well ${word(at)}"}`]),
  )
  t.equal(steps.length, 4)
  t.match(told(sent[1]).slice(4), Array(16).fill(/Too many calls at once/))
})

t.test('wrong arguments do not run, and the model is told what is wrong', async t => {
  const wrong: [string, string][] = [
    ['search_documents', '{"query":7}'],
    ['search_documents', '{"query":"north well","as":"admin"}'],
    ['search_documents', '["north well"]'],
    ['search_documents', '{query: north well'],
    ['read_document', '{"document_id":"../x"}'],
    ['read_document', `{"document_id":"${'x'.repeat(9000)}"}`],
    ['calculator', '{}'],
    ['current_time', '{"time_zone":"; ls"}'],
  ]
  const { steps, sent } = await ran(turn => wrong.slice(4 * (turn - 1), 4 * turn))
  t.same(steps, [])
  t.match(told(sent[1]), Array(4).fill(/not valid|not JSON/))
  t.match(told(sent[2]).slice(4), [/not valid/, /too long/, /not valid/, /not valid/])
})

t.test('tools of servers are offered to those who name them', async t => {
  while ((await ada.send('GET', '/tools')).json().tools.length < 5) await pause(20)
  model.play((_, reply) => says(reply, 'Hello.'))
  const offered = () => model.sent.at(-1)?.tools?.map(one => one.function.name) ?? []
  const payload = { model: 'm', messages: [{ role: 'user', content: 'Hello' }] }
  const chat = (more: object) =>
    app.inject({ method: 'POST', url: '/v1/chat/completions', headers: ada.headers, payload: { ...payload, ...more } })
  await chat({})
  t.same(offered(), ours)
  await chat({
    tools: [
      { type: 'function', function: { name: 'far__add' } },
      { type: 'function', function: { name: 'mine' } },
    ],
  })
  t.same(offered(), [...ours, 'far__add'])
  await chat({ tools: [{ type: 'function', function: { name: 'far__add' } }], tool_choice: 'none' })
  t.same(offered(), [])
  await ada.ask({ user_request: 'Hello', tools: ['calculator'] })
  t.same(offered(), ['calculator'])
})
