// Tools of the operator's servers: what is allowed is offered under the server's name, checked, written down and bounded; a server that
// dies comes back; nothing of ours reaches it.
import { spawn } from 'node:child_process'
import { getEventListeners, once } from 'node:events'
import { join } from 'node:path'
import { setTimeout as pause } from 'node:timers/promises'
import t, { type Test } from 'tap'
import { connectMcp } from '../../src/agent/mcp.ts'
import { readServerList } from '../../src/agent/tools/server-list.ts'
import { openServers, type ToolCall } from '../../src/agent/tools/servers.ts'
import { freePort } from '../support/redis.ts'

process.env.OPENAI_API_KEY = 'a secret of ours'
const program = join(import.meta.dirname, 'tool-server.ts')
const signal = new AbortController().signal
const context = { asker: { authorization: 'Bearer secret', address: '127.0.0.1' }, user_id: 'ada', request_id: 'r1', signal }
const stdio = { command: process.execPath, args: [program], env: { TOOL_KEY: 'of the tool' }, permission: 'write:agent' }

/** The tools of the servers written down in a file, once all that are expected are there. */
async function opened(t: Test, servers: Record<string, object>, expected: number) {
  const dir = t.testdir({ 'servers.json': JSON.stringify({ mcpServers: servers }) })
  const calls: ToolCall[] = []
  const told: string[] = []
  const log = { warn: (context: object, message: string) => void told.push(`${message} ${JSON.stringify(context)}`) }
  const list = await readServerList(join(dir, 'servers.json'))
  const all = openServers({ list, version: '1', log, audit: async call => void calls.push(call) })
  t.teardown(() => all.close())
  async function there() {
    while (all.tools().length < expected) await pause(20)
    return all.tools()
  }
  await there()
  async function run(name: string, given: unknown = {}, more: object = {}) {
    const tool = (await there()).find(one => one.name === name)
    if (!tool) throw new Error(`no ${name}`)
    return tool.run(given, { ...context, ...more })
  }
  return { all, calls, told, there, run }
}

t.test('a program is offered by what is allowed of it, and does it', async t => {
  const tools = ['add', 'environment', 'fail', 'long', 'crooked', 'absent']
  const { all, calls, told, run } = await opened(t, { sums: { ...stdio, tools } }, 4)
  t.same(
    all.tools().map(({ name, permission }) => [name, permission]),
    ['add', 'environment', 'fail', 'long'].map(name => [`sums__${name}`, 'write:agent']),
  )
  t.ok(all.names().includes('sums__absent'))
  t.equal(told.length, 2, 'the operator is told of what could not be offered')
  t.ok(all.tools().every(({ description }) => description.length <= 1000))
  t.same(await run('sums__add', { a: 2, b: 3 }), { text: '5' })
  t.same(calls, [{ user_id: 'ada', request_id: 'r1', target: 'sums__add', outcome: 'allowed' }])

  for (const given of [{ a: 1 }, { a: '1', b: 2 }, { a: 1, b: -1 }, { a: 1, b: 2, c: 3 }, null, [], 'x']) {
    calls.length = 0
    await t.rejects(run('sums__add', given), { code: 'invalid_request' }, JSON.stringify(given))
    t.match(calls, [{ outcome: 'denied' }])
  }
  t.same(await run('sums__fail'), { text: 'the well is dry', failed: true })
  t.equal((await run('sums__long')).text.length, 64 * 1024)

  const environment = JSON.parse((await run('sums__environment')).text)
  t.equal(environment.TOOL_KEY, 'of the tool')
  t.same(
    Object.keys(environment).filter(name => !['HOME', 'LOGNAME', 'PATH', 'SHELL', 'TERM', 'USER', 'TOOL_KEY'].includes(name)),
    [],
  )
  t.notMatch(JSON.stringify(environment), /secret/)
})

t.test('what was waited with is let go of: a signal that outlives a connection or a call keeps nothing of it', async t => {
  const lasting = new AbortController()
  const listeners = () => getEventListeners(lasting.signal, 'abort').length
  const connection = await connectMcp({ command: process.execPath, args: [program] }, '1', lasting.signal)
  t.teardown(() => connection.close())
  t.equal(listeners(), 0)
  t.match(await connection.call('add', { a: 2, b: 3 }, 5000, lasting.signal), { text: '5' })
  t.equal(listeners(), 0)
})

t.test('a call that cannot be written down is not made', async t => {
  const list = await readServerList(
    join(t.testdir({ 'l.json': JSON.stringify({ mcpServers: { p: { ...stdio, tools: ['die'] } } }) }), 'l.json'),
  )
  const audit = async () => {
    throw new Error('away')
  }
  const told: string[] = []
  const all = openServers({ list, version: '1', audit, log: { warn: (_, message) => void told.push(message) } })
  t.teardown(() => all.close())
  while (all.tools().length === 0) await pause(20)
  await t.rejects(async () => all.tools()[0]?.run({}, context), { message: 'away' })
  t.same(told, [], 'it lives')
})

t.test('a program that dies or is killed is started again, and its tools come back', async t => {
  const { told, there, run } = await opened(t, { mortal: { ...stdio, tools: ['pid', 'die'] } }, 2)
  const first = Number((await run('mortal__pid')).text)
  await t.rejects(run('mortal__die'), { code: 'unavailable' })
  while (told.length < 1) await pause(20)
  t.match(told[0], /has gone.*tool server starts/)
  await there()
  const second = Number((await run('mortal__pid')).text)
  t.not(second, first)
  process.kill(second, 'SIGKILL')
  while (told.length < 2) await pause(20)
  t.not(Number((await run('mortal__pid')).text), second)
})

t.test('a tool that hangs ends in time, and at once when its caller leaves', async t => {
  const { run } = await opened(t, { slow: { ...stdio, tools: ['hang', 'add'], timeout_s: 1 } }, 2)
  await t.rejects(run('slow__hang'), { code: 'deadline' })
  const left = new AbortController()
  const hanging = t.rejects(run('slow__hang', {}, { signal: left.signal }), { code: 'cancelled' })
  left.abort()
  await hanging
  t.same(await run('slow__add', { a: 1, b: 1 }), { text: '2' }, 'the server lives on')
})

t.test('a flood is not taken in, and costs only its connection', async t => {
  const { run, there } = await opened(t, { wild: { ...stdio, tools: ['flood', 'add'] } }, 2)
  await t.rejects(run('wild__flood'), { code: 'unavailable' })
  await there()
  t.same(await run('wild__add', { a: 1, b: 1 }), { text: '2' })
})

t.test('a server at an address is given the headers of the list and no credential of the caller', async t => {
  const port = await freePort()
  const start = () => spawn(process.execPath, [program, `${port}`], { stdio: 'ignore' })
  let server = start()
  t.teardown(() => server.kill('SIGKILL'))
  const address = { url: `http://127.0.0.1:${port}/mcp`, headers: { 'x-key': 'of the tool' }, permission: 'read:rag' }
  const { run, told } = await opened(t, { far: { ...address, tools: ['add', 'hidden', 'flood'] } }, 3)
  t.same(await run('far__add', { a: 20, b: 3 }), { text: '23' })
  const headers = JSON.parse((await run('far__hidden')).text)
  t.equal(headers['x-key'], 'of the tool')
  t.notMatch(JSON.stringify(headers), /Bearer|secret/)
  await t.rejects(run('far__flood'), { code: 'unavailable' })
  t.same(await run('far__add', { a: 1, b: 1 }), { text: '2' })

  server.kill('SIGKILL')
  await once(server, 'exit')
  const before = told.length
  await t.rejects(run('far__add', { a: 1, b: 1 }), { code: 'unavailable' })
  while (told.length === before) await pause(20)
  server = start()
  t.same(await run('far__add', { a: 1, b: 1 }), { text: '2' })
})

t.test('one that cannot be started takes nothing from the others', async t => {
  const lost = { ...stdio, command: '/nonexistent/program', tools: ['add'] }
  const mute = { ...stdio, args: ['--eval', 'setInterval(() => {}, 1000)'], tools: ['add'] }
  const { run, told } = await opened(t, { lost, mute, good: { ...stdio, tools: ['add'] } }, 1)
  t.same(await run('good__add', { a: 1, b: 1 }), { text: '2' })
  while (!told.some(one => one.includes('"lost"'))) await pause(20)
})

t.test('a wrong list is refused with every fault', async t => {
  const refused = async (text: string, pattern: RegExp) =>
    t.rejects(readServerList(join(t.testdir({ 'l.json': text }), 'l.json')), { message: pattern }, text)
  const listed = (server: object, name = 'a') => JSON.stringify({ mcpServers: { [name]: server } })
  await refused('{', /JSON/)
  await refused('{}', /mcpServers/)
  await refused(listed({ ...stdio }), /\/mcpServers\/a/)
  await refused(listed({ ...stdio, tools: [] }), /tools/)
  await refused(listed({ ...stdio, tools: ['a b'] }), /tools/)
  await refused(listed({ ...stdio, tools: ['add'], permission: 'everything' }), /permission/)
  await refused(listed({ ...stdio, tools: ['add'], shell: true }), /shell/)
  await refused(listed({ ...stdio, tools: ['add'] }, 'a__b'), /mcpServers/)
  await refused(listed({ url: 'file:///etc/passwd', tools: ['add'], permission: 'read:rag' }), /url/)
  await t.rejects(readServerList('/nonexistent'), /MCP_SERVERS/)
  t.equal((await readServerList('')).size, 0)
})
