// The main job as a person does it: through the edge, with every part real.
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import t from 'tap'
import { startStack } from '../../deploy/stack.ts'
import { healthOnce, person, send } from '../support/client.ts'
import { docx, pdf } from '../support/files.ts'

const dir = await mkdtemp(join(tmpdir(), 'journey-'))
t.teardown(() => rm(dir, { recursive: true, force: true }))
const stack = await startStack({ dir, env: { LIMIT_REGISTER_PER_5MIN: '0', LIMIT_ADDRESS_PER_MIN: '0' } })
t.teardown(() => stack.stop())
const { url } = stack

const facts = [
  {
    name: 'well.txt',
    bytes: 'The north well was sealed on 3 May 1921 by Ines Okafor.\n',
    question: 'When was the north well sealed?',
    answer: /3 May 1921/,
  },
  {
    name: 'mill.md',
    bytes: '# Mill\n\nThe mill grinds 40 tonnes of barley a week.\n',
    question: 'How much barley does the mill grind a week?',
    answer: /40 tonnes/,
  },
  {
    name: 'ferry.html',
    bytes: '<html><body><h1>Ferry</h1><p>The ferry to Lomma leaves at 07:40 from pier nine.</p></body></html>',
    question: 'When does the ferry to Lomma leave?',
    answer: /07:40/,
  },
  {
    name: 'kiln.pdf',
    bytes: pdf(['The kiln must cool for eighteen hours before it is opened.']),
    question: 'How long must the kiln cool?',
    answer: /eighteen hours/,
  },
  {
    name: 'lamp.docx',
    bytes: docx(['The lighthouse lamp was replaced in the autumn of 1987.']),
    question: 'When was the lighthouse lamp replaced?',
    answer: /1987/,
  },
]

t.test(
  'a document of every kind is taken in, found, and answered from with citations that hold byte for byte, then deleted',
  async t => {
    const ada = await person(url, 'ada')
    const uploaded = await ada.upload(...facts)
    t.equal(uploaded.status, 202, uploaded.text)
    for (const [i, { name, question, answer }] of facts.entries()) {
      const { id, job_id } = uploaded.body.documents[i]
      const job = await ada.settled(job_id)
      t.match(job.body, { state: 'ready', document_id: id }, name)

      const found = await ada.send('POST', '/rag/search', { query: question, top_k: 3 })
      t.equal(found.status, 200, found.text)
      t.match(found.body.passages[0], { document_id: id, content: answer }, `${name}: search`)

      const asked = await ada.send('POST', '/agent/query', { user_request: question })
      t.equal(asked.status, 200, asked.text)
      t.match(asked.body, { grounded: true, final_response: answer, original_request: question }, `${name}: answer`)
      t.equal(asked.body.final_answer, asked.body.final_response)
      t.ok(asked.body.citations.length > 0)
      for (const { href, start_byte, end_byte, quote, document_id } of asked.body.citations) {
        const part = await ada.send('GET', href, undefined, { range: `bytes=${start_byte}-${end_byte - 1}` })
        t.equal(part.status, 206, href)
        t.equal(part.text, quote)
        t.ok(uploaded.body.documents.some((one: { id: string }) => one.id === document_id))
      }
      const again = await ada.send('POST', '/agent/query', { user_request: question })
      t.equal(again.body.final_response, asked.body.final_response, 'the same documents and question give the same bytes')

      const receipt = await ada.send('DELETE', `/rag/documents/${id}`)
      t.equal(receipt.status, 200, receipt.text)
      const after = await ada.send('POST', '/agent/query', { user_request: question })
      t.match(after.body, { grounded: false, citations: [] }, `${name}: after the deletion`)
      t.notMatch(after.body.final_response, answer)
    }
    t.equal((await ada.send('POST', '/auth/logout')).status, 204)
    t.match(await ada.send('GET', '/auth/me'), { status: 401, body: { code: 'unauthenticated' } })
    t.match(await ada.send('GET', '/rag/documents'), { status: 401, body: { code: 'unauthenticated' } })
  },
)

t.test("nobody sees another's document, by any route and under any spelling", async t => {
  const [bea, cyn] = [await person(url, 'bea'), await person(url, 'cyn')]
  const uploaded = await bea.upload({ name: 'secret.txt', bytes: 'The vault opens with the word heliotrope.\n' })
  const { id, job_id } = uploaded.body.documents[0]
  await bea.settled(job_id)
  const question = { query: 'Which word opens the vault?', top_k: 5 }
  for (const path of ['/rag/search', '/rag/retrieve', '/rag/lookup', '/rag/query', '/api/rag/search']) {
    const hers = await bea.send('POST', path, question)
    t.match(hers, { status: 200, text: /heliotrope/ }, `${path} for its owner`)
    const others = await cyn.send('POST', path, question)
    t.equal(others.status, 200, others.text)
    t.notMatch(others.text, /heliotrope/, `${path} for another`)
  }
  const asked = await cyn.send('POST', '/api/agent/query', { user_request: 'Which word opens the vault?' })
  t.match(asked.body, { grounded: false })
  t.notMatch(asked.text, /heliotrope/)
  const absent = await cyn.send('GET', '/rag/documents/nothing')
  for (const [method, path] of [
    ['GET', `/rag/documents/${id}`],
    ['GET', `/rag/documents/${id}/text`],
    ['GET', `/rag/documents/${id}/content`],
    ['GET', `/rag/jobs/${job_id}`],
    ['DELETE', `/rag/documents/${id}`],
  ] as const) {
    const reply = await cyn.send(method, path)
    t.match(reply, { status: 404, body: { code: 'not_found', message: absent.body.message } }, `${method} ${path}`)
  }
  t.match((await cyn.send('GET', '/rag/documents')).body, { documents: [] })
  t.match(await bea.send('POST', '/api/auth/validate'), { status: 200, body: { valid: true, username: 'bea' } })
})

t.test('the edge tells how the whole is and what it is made of', async t => {
  const services = { auth: 'up', agent: 'up', rag: 'up' } as const
  t.match(await healthOnce(url, services), { status: 200, body: { status: 'healthy', services } })
  for (const name of ['auth', 'agent', 'rag']) {
    t.match(await send(url, 'GET', `/${name}/openapi.json`), { status: 200, body: { openapi: /^3/, paths: {} } })
  }
  t.equal((await send(url, 'GET', '/docs')).status, 200)
  t.match(await send(url, 'GET', '/nothing/here'), { status: 404, body: { code: 'not_found' } })
  t.match(await send(url, 'GET', '/rag/documents'), { status: 401, body: { code: 'unauthenticated' } })
})
