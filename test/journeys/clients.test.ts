// The clients people already have, as their makers publish them, in JavaScript and Python: through the edge, with an API key.
import { execFile } from 'node:child_process'
import { copyFileSync, existsSync, readFileSync } from 'node:fs'
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { promisify } from 'node:util'
import { Client } from '@modelcontextprotocol/sdk/client/index.js'
import { StreamableHTTPClientTransport } from '@modelcontextprotocol/sdk/client/streamableHttp.js'
import OpenAI from 'openai'
import t from 'tap'
import { startStack } from '../../deploy/stack.ts'
import { person } from '../support/client.ts'

const run = promisify(execFile)
const INSTALL_MS_MAX = 240_000
const CLIENTS_MS_MAX = 60_000

const dir = await mkdtemp(join(tmpdir(), 'clients-'))
t.teardown(() => rm(dir, { recursive: true, force: true }))
const limits = ['REGISTER_PER_5MIN', 'ADDRESS_PER_MIN', 'AGENT_PER_MIN', 'CALLER_PER_MIN']
const stack = await startStack({ dir, env: Object.fromEntries(limits.map(name => [`LIMIT_${name}`, '0'])) })
t.teardown(() => stack.stop())
const { url } = stack

const text = 'The kiln — an old one — must cool for eighteen hours before it is opened.'
const question = 'How long must the kiln cool?'
const answer = `${text} [1]`
const ada = await person(url, 'ada')
const uploaded = await ada.upload({ name: 'kiln.txt', bytes: text })
await ada.settled(uploaded.body.documents[0].job_id)
const rights = ['read:agent', 'write:agent', 'read:rag']
const { key } = (await ada.send('POST', '/auth/api-keys', { name: 'app', permissions: rights, expires_in_days: 1 })).body
const model = 'extractive'
const embedder = 'Xenova/all-MiniLM-L6-v2'
const tools = ['search_documents', 'read_document', 'ask']
const length = (vector: number[]) => Math.sqrt(vector.reduce((sum, x) => sum + x * x, 0))

t.test('the JavaScript client of OpenAI chats, streams, names a tool, lists models and embeds', async t => {
  const client = new OpenAI({ baseURL: `${url}/v1`, apiKey: key, maxRetries: 0 })
  const messages = [{ role: 'user' as const, content: question }]
  t.ok((await client.models.list()).data.some(({ id }) => id === model))
  const tool = { type: 'function' as const, function: { name: 'calculator', parameters: { type: 'object', properties: {} } } }
  const whole = await client.chat.completions.create({ model, messages, tools: [tool] })
  t.match(whole, { model, choices: [{ message: { content: answer }, finish_reason: 'stop' }], citations: [{ quote: text }] })
  const stream = await client.chat.completions.create({ model, messages, stream: true, stream_options: { include_usage: true } })
  const chunks = await Array.fromAsync(stream)
  t.equal(chunks.map(({ choices }) => choices[0]?.delta.content ?? '').join(''), answer)
  t.match(chunks.at(-1), { choices: [], usage: { total_tokens: 0 } })
  const { data } = await client.embeddings.create({ model: embedder, input: [question, 'barley'] })
  t.equal(data.length, 2)
  for (const { embedding } of data) t.ok(Math.abs(length(embedding) - 1) < 0.001)
  const plain = await client.embeddings.create({ model: embedder, input: question, encoding_format: 'float' })
  t.same(plain.data[0]?.embedding.map(Math.fround), data[0]?.embedding)
  const stranger = new OpenAI({ baseURL: `${url}/v1`, apiKey: 'ak_nothing', maxRetries: 0 })
  await t.rejects(stranger.models.list(), { status: 401, message: /Sign in/ })
})

t.test('the JavaScript client of the Model Context Protocol lists the tools and calls them', async t => {
  const client = new Client({ name: 'app', version: '1' })
  const requestInit = { headers: { authorization: `Bearer ${key}` } }
  await client.connect(new StreamableHTTPClientTransport(new URL(`${url}/mcp`), { requestInit }))
  t.teardown(() => client.close())
  t.same(
    (await client.listTools()).tools.map(({ name }) => name),
    tools,
  )
  const found = await client.callTool({ name: 'search_documents', arguments: { query: question, top_k: 1 } })
  t.match(found.structuredContent, { passages: [{ content: text }] })
  const asked = await client.callTool({ name: 'ask', arguments: { user_request: question } })
  t.match(asked.structuredContent, { grounded: true, final_response: answer, citations: [{ quote: text }] })
})

const venv = join(import.meta.dirname, '../../run/clients')
const pins = join(import.meta.dirname, 'clients.txt')
const python = join(venv, 'bin/python')
/** What pip says when there is no index to ask; a package that is not in one is told with the versions there are. */
const UNREACHABLE = /from versions: none\)|NewConnectionError|ConnectTimeout|Network is unreachable|Temporary failure in name/

/** Brings the clients to run/clients, unless they are there; gives why not, where no package can be had. */
async function pythonClients(): Promise<string | undefined> {
  const madeFrom = join(venv, '.made-from')
  if (existsSync(madeFrom) && readFileSync(madeFrom, 'utf8') === readFileSync(pins, 'utf8')) return undefined
  t.comment('installing the Python clients into run/clients (about half a minute)')
  await run('python3', ['-m', 'venv', '--clear', venv])
  const quietly = ['--quiet', '--disable-pip-version-check', '--no-color', '--retries=2', '--only-binary=:all:']
  try {
    await run(python, ['-m', 'pip', 'install', ...quietly, '--requirement', pins], { timeout: INSTALL_MS_MAX })
  } catch (error) {
    const { stderr = '' } = error as { stderr?: string }
    if (!UNREACHABLE.test(stderr)) throw error
    return `pip can reach no package: ${stderr.trim().split('\n').at(-1)}`
  }
  copyFileSync(pins, madeFrom)
  return undefined
}

t.test('the Python clients do the same', async t => {
  const lacking = await pythonClients()
  if (lacking) return t.plan(0, lacking)
  const env = { PATH: process.env.PATH, EDGE: url, KEY: key, MODEL: model, EMBEDDER: embedder, QUESTION: question }
  const { stdout } = await run(python, [join(import.meta.dirname, 'clients.py')], { env, timeout: CLIENTS_MS_MAX })
  const { openai, mcp } = JSON.parse(stdout)
  t.ok(openai.models.includes(model))
  t.match(openai, { answer, finish: 'stop', citations: [{ quote: text }], usage: 0 })
  t.match(openai, { streamed: answer, streamed_usage: 0, refused: 401 })
  t.ok(openai.chunks > 2)
  t.equal(openai.embeddings.length, 2)
  t.same(openai.embedded_alone.map(Math.fround), openai.embeddings[0].map(Math.fround))
  t.same(mcp.tools, tools)
  t.match(mcp, { found: text, read: text, asked: { grounded: true, final_response: answer } })
  t.match(mcp.wrong, { is_error: true, text: /invalid_request/ })
})
