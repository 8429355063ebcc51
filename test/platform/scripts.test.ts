import { setTimeout as pause } from 'node:timers/promises'
import { argon2id, hash } from 'argon2'
import t from 'tap'
import { AgentConfig } from '../../src/agent/config.ts'
import { agentService } from '../../src/agent/plugin.ts'
import { loadConfig } from '../../src/platform/config.ts'
import { buildService } from '../../src/platform/service.ts'
import { says, upstream } from '../agent/upstream.ts'
import { asking, personAt, until } from '../auth/house.ts'
import { startStack } from '../matrix/stack.ts'
import { password } from '../support/services.ts'
import { crc16, slotOf, watchSlots } from './slots.ts'

t.test('slots are computed as Redis does', async t => {
  t.equal(crc16(Buffer.from('123456789')), 0x31c3)
  t.equal(slotOf('user1000'), slotOf('{user1000}.following'))
  t.equal(slotOf('foo{{bar}}zap'), slotOf('{bar'), 'the first } ends it')
  t.equal(slotOf('foo{}{bar}'), crc16(Buffer.from('foo{}{bar}')) % 16_384, 'nothing between is no tag')
})

t.test('every script and every transaction of the three services touches one slot, in whatever they do', async t => {
  const slots = watchSlots(t)
  const limits = ['CALLER', 'ADDRESS', 'LOGIN', 'LOGIN_ACCOUNT', 'AGENT', 'UPLOAD', 'RAG_QUERY'].map(
    one => `LIMIT_${one}_PER_MIN`,
  )
  const more = Object.fromEntries([...limits, 'LIMIT_REGISTER_PER_5MIN'].map(name => [name, '1000']))
  const { auth, agent, rag, env } = await startStack(t, { more, wrap: slots.noting })
  const used = () => new Set(slots.touched.map(({ what }) => what))

  const root = await personAt(auth.app, 'root')
  const ada = await personAt(auth.app, 'ada')
  const eve = await personAt(auth.app, 'eve')
  const post = (url: string, payload: object) => auth.app.inject({ method: 'POST', url, payload })
  for (const username of ['ada', 'a}b{c', '{}{}']) await post('/login', { username, password: 'a wrong password' })
  const next = (await post('/refresh', { refresh_token: ada.refresh_token })).json()
  await post('/refresh', { refresh_token: next.refresh_token })
  await post('/refresh', { refresh_token: ada.refresh_token })
  const again = await personAt(auth.app, 'ada')
  await again.ask('POST', '/api-keys', { name: 'k', permissions: ['read:rag'], expires_in_days: 1 })
  await again.ask('PUT', '/me/password', { current_password: password, new_password: 'another password' })
  await root.ask('PATCH', `/users/${ada.user_id}`, { role: 'admin' })
  await root.ask('PATCH', `/users/${ada.user_id}`, { role: 'user' })
  const cheap = await hash('another password', { type: argon2id, memoryCost: 1024, timeCost: 2, parallelism: 1 })
  await auth.app.redis.hset(`user:{${ada.user_id}}`, 'password', cheap)
  t.equal((await post('/login', { username: 'ada', password: 'another password' })).statusCode, 200, 'its hash is renewed')
  await root.ask('GET', '/audit/verify')
  await auth.app.inject('/nothing')
  const replica = await buildService(slots.noting(auth.service))
  await replica.close()

  const [asks, stores] = [asking(agent.app, eve.headers), asking(rag.app, eve.headers)]
  const stored = await stores('POST', '/documents', {
    title: 'ferry',
    text: 'The ferry to Lomma leaves at 07:40 from pier nine.',
  })
  const [{ id, job_id }] = stored.body.documents
  await until(async () => (await stores('GET', `/jobs/${job_id}`)).body.state === 'ready')
  const { body: run } = await asks('POST', '/query', { user_request: 'When does the ferry to Lomma leave?' })
  t.ok(run.grounded, 'what is erased next was quoted')
  await asks('GET', `/runs/${run.run_id}`)
  await stores('DELETE', `/documents/${id}`)
  await until(() => ['replace_message', 'replace_ending', 'advance_cursor'].every(name => used().has(name)))
  await asks('DELETE', `/conversations/${run.conversation_id}`)
  await asks('GET', '/usage')

  const model = await upstream(t)
  const modelled = { ...env, DEFAULT_LLM_PROVIDER: 'openai_compatible', DEFAULT_LLM_MODEL: 'm', DEFAULT_LLM_BASE_URL: model.url }
  const thinking = await buildService(slots.noting(agentService(loadConfig(AgentConfig, modelled))))
  t.teardown(() => thinking.close())
  const thinks = asking(thinking, eve.headers)
  // The model takes its time, until the run has been renewed; then one run is given up and one ends well.
  model.play(async (_, reply) => {
    while (!used().has('renew_run')) await pause(10)
    says(reply, 'Hello.')
  })
  await thinks('POST', '/query', { user_request: 'Is anybody there?', mode: 'chat' })
  const newest = async () => (await agent.app.redis.zrange(`runs:{${eve.user_id}}`, '0', '0', 'REV'))[0] ?? ''
  const before = await newest()
  const asked = model.next()
  model.play(() => undefined)
  const given = thinks('POST', '/query', { user_request: 'And now?', mode: 'chat' })
  await asked
  // What nobody follows is written a moment later.
  let latest = before
  while (latest === before) latest = await newest()
  await asks('DELETE', `/runs/${latest}`)
  await given
  await root.ask('DELETE', `/users/${eve.user_id}`)

  for (const { what, keys } of slots.touched) {
    if (new Set([...keys].map(slotOf)).size > 1) t.fail(`${what} touches ${[...keys].join(', ')}`)
  }
  t.same(
    slots.names().filter(name => !used().has(name)),
    [],
    'every script was run',
  )
  t.ok(slots.names().length > 20, `${slots.names().length} scripts`)
  t.ok(used().has('transaction'))
  t.ok(slots.touched.some(({ what, keys }) => what === 'admit' && keys.size >= 3))
})
