// Conversations: kept, bounded to their owner, leaned on by follow-up questions, and freed of what was erased.
import { setTimeout as pause } from 'node:timers/promises'
import t from 'tap'
import { house } from './house.ts'

const { person, app, replica } = await house(t)

t.test('question and answer are kept together, for their owner alone, until deleted', async t => {
  const [ada, bea] = [await person('ada'), await person('bea')]
  await ada.store('mill', 'The mill grinds 40 tonnes of barley a week.')
  const asked = (await ada.ask({ user_request: 'How much barley does the mill grind?' })).json()
  const path = `/conversations/${asked.conversation_id}`
  const kept = (await ada.send('GET', path)).json()
  t.match(kept, {
    id: asked.conversation_id,
    title: asked.original_request,
    messages: [
      { role: 'user', content: asked.original_request, citations: [], run_id: asked.run_id },
      { role: 'assistant', content: asked.final_response, citations: asked.citations, grounded: true, run_id: asked.run_id },
    ],
  })
  t.match((await ada.send('GET', '/conversations')).json(), { conversations: [{ id: kept.id }], next_cursor: null })

  t.same((await bea.send('GET', '/conversations')).json(), { conversations: [], next_cursor: null })
  const absent = (await bea.send('GET', `/conversations/${'0'.repeat(32)}`)).json()
  for (const method of ['GET', 'DELETE'] as const) {
    const reply = await bea.send(method, path)
    t.match(reply, { statusCode: 404 })
    t.equal(reply.json().message, absent.message)
  }
  t.equal((await bea.ask({ user_request: 'And now?', conversation_id: kept.id })).statusCode, 404)

  const later = await replica()
  const again = await later.app.inject({ url: path, headers: ada.headers })
  t.same(again.json(), kept, 'a process started later shows the same')

  t.equal((await ada.send('DELETE', path)).statusCode, 204)
  t.equal((await ada.send('GET', path)).statusCode, 404)
  t.equal((await ada.send('DELETE', path)).statusCode, 404)
  t.equal((await ada.ask({ user_request: 'And now?', conversation_id: kept.id })).statusCode, 404)
})

t.test('a list goes on where the page before ended', async t => {
  const cyn = await person('cyn')
  const ids: string[] = []
  for (const n of [1, 2, 3]) ids.unshift((await cyn.ask({ user_request: `Question ${n}`, mode: 'chat' })).json().conversation_id)
  const seen: string[] = []
  let cursor: string | null = ''
  for (let pages = 0; cursor !== null && pages < 5; pages++) {
    const page: { conversations: { id: string }[]; next_cursor: string | null } = (
      await cyn.send('GET', `/conversations?limit=2${cursor && `&cursor=${cursor}`}`)
    ).json()
    seen.push(...page.conversations.map(({ id }) => id))
    cursor = page.next_cursor
  }
  t.same(seen, ids)
})

t.test('a question that leans on the one before finds its evidence', async t => {
  const dot = await person('dot')
  await dot.store(
    'harvest',
    'The barley harvest of Lomma was 300 tonnes in 2018.\n\nThe barley harvest of Lomma was 410 tonnes in 2019.',
  )
  const first = (await dot.ask({ user_request: 'How large was the barley harvest of Lomma in 2018?' })).json()
  t.match(first.final_response, /300 tonnes/)
  const next = (await dot.ask({ user_request: 'and in 2019?', conversation_id: first.conversation_id })).json()
  t.match(next, { grounded: true, final_response: /410 tonnes/, conversation_id: first.conversation_id })
  t.equal((await dot.send('GET', `/conversations/${first.conversation_id}`)).json().messages.length, 4)
  for (const user_request of ['in 2019?', '2019?', 'How large was it in 2019?']) {
    const { conversation_id } = (await dot.ask({ user_request: first.original_request })).json()
    t.match((await dot.ask({ user_request, conversation_id })).json().final_response, /410 tonnes/, user_request)
  }
  const restarted = await replica()
  const payload = { user_request: 'and in 2019?', conversation_id: first.conversation_id }
  const later = await restarted.app.inject({ method: 'POST', url: '/query', headers: dot.headers, payload })
  t.match(later.json(), { grounded: true, final_response: /410 tonnes/ }, 'asked of a process started later')

  await dot.store('well', 'The north well was sealed in 1921.')
  const other = { user_request: 'When was the north well sealed?', conversation_id: first.conversation_id }
  const { final_response } = (await dot.ask(other)).json()
  t.match(final_response, /1921/)
  t.notMatch(final_response, /harvest/, 'an old subject does not colour a new question')
})

t.test('what a document said leaves every run and conversation when the document is erased', async t => {
  const eva = await person('eva')
  const lamp = await eva.store('lamp', 'The lighthouse lamp was replaced in the autumn of 1987.')
  const asked = (await eva.ask({ user_request: 'When was the lighthouse lamp replaced?' })).json()
  t.match(asked.final_response, /1987/)
  const receipt = (await eva.erase(lamp)).json()
  t.match(receipt, { document_id: lamp })
  for (let { pending } = receipt; pending; await pause(50)) pending = (await eva.receipt(receipt.receipt_id)).pending
  for (const path of [`/conversations/${asked.conversation_id}`, `/runs/${asked.run_id}`, `/runs/${asked.run_id}/events`]) {
    const { statusCode, body } = await eva.send('GET', path)
    t.equal(statusCode, 200, path)
    t.notMatch(body, /1987/, path)
    t.notMatch(body, lamp, path)
  }
  const { messages } = (await eva.send('GET', `/conversations/${asked.conversation_id}`)).json()
  t.match(messages[1], { grounded: false, citations: [] })
})

t.test('with its user everything goes', async t => {
  const fay = await person('fay')
  await fay.ask({ user_request: 'What is there?' })
  await app.redis.xadd('erasures', '*', 'user', fay.user_id)
  for (;;) {
    const left = await app.redis.keys(`*{${fay.user_id}}*`)
    if (!left.some(key => /^(run|runs|conversation|conversations):/.test(key))) break
    await pause(50)
  }
  t.equal((await fay.send('GET', '/conversations')).json().conversations.length, 0)
})
