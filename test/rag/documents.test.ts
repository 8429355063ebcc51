// Documents over HTTP, from upload to deletion, with the real model and a real Redis (routes/documents.ts, bytes.ts, jobs.ts, search.ts).
import { readdir } from 'node:fs/promises'
import { join } from 'node:path'
import t from 'tap'
import { docx, pdf } from '../support/files.ts'
import { house } from './house.ts'

const { app, person, dataDir, redis } = await house(t)
const [ann, bob] = [await person('ann'), await person('bob')]

t.test('an upload is accepted, followed by its events, found, read back byte for byte, and erased', async t => {
  const uploaded = await ann.upload({ 'well.txt': 'The north well was sealed on 3 May 1921.\nÄußerst kühl war der Sommer.\n' })
  t.equal(uploaded.status, 202, uploaded.text)
  const [{ id, job_id, state, title }] = uploaded.body.documents
  t.match({ state, title }, { state: 'queued', title: 'well.txt' })
  t.equal(uploaded.headers.location, `jobs/${job_id}`)

  t.match(await ann.ended(job_id), { id: job_id, document_id: id, state: 'ready', stage: 'ready', attempts: 1 })
  t.match((await ann.send('GET', `/jobs/${job_id}`)).body, { state: 'ready', done: 1, total: 1 })
  t.match((await ann.send('GET', `/documents/${id}`)).body, {
    id,
    title: 'well.txt',
    state: 'ready',
    media_type: 'text/plain',
    passages: 1,
    coverage: { truncated_tokens: 0, passages: 1, tokens: { total: Number, largest: Number } },
    versions: [{ visible: true }],
  })

  const found = await ann.send('POST', '/search', { query: 'When was the north well sealed?', explain: true })
  t.equal(found.status, 200, found.text)
  const [passage] = found.body.passages
  t.match(passage, { document_id: id, title: 'well.txt', content: /3 May 1921/, metadata: {}, source: null })
  t.ok(passage.legs.vector || passage.legs.lexical)

  const { start_byte, end_byte, version, content } = passage
  const range = { range: `bytes=${start_byte}-${end_byte - 1}` }
  const part = await ann.send('GET', `/documents/${id}/text?version=${version}`, undefined, range)
  t.equal(part.status, 206)
  t.equal(part.text, content)
  t.equal(part.headers.etag, `"${version}"`)

  const receipt = await ann.send('DELETE', `/documents/${id}`)
  t.match(receipt, {
    status: 200,
    body: {
      document_id: id,
      erased: { passages: 1, versions: 1, texts: 1, originals: 1, jobs: 1 },
      pending: true,
      waiting_for: ['agent'],
    },
  })
  for (const path of [`/documents/${id}`, `/documents/${id}/text`, `/documents/${id}/content`, `/jobs/${job_id}`]) {
    t.equal((await ann.send('GET', path)).status, 404, path)
  }
  t.same((await ann.send('POST', '/search', { query: 'When was the north well sealed?' })).body.passages, [])
  t.match((await ann.send('GET', `/erasures/${receipt.body.receipt_id}`)).body, receipt.body)
})

t.test('the erasure is in the stream, and the receipt is pending until the holder of copies has read it', async t => {
  const { id, version } = await ann.has('stream.txt', 'A text about streams.')
  const { body } = await ann.send('DELETE', `/documents/${id}`)
  const [, fields] = (await app.redis.xrevrange('erasures', '+', '-', 'COUNT', 1))[0] ?? []
  t.same(fields, ['document', id, 'versions', version, 'user', ann.user_id])
  t.match((await ann.send('GET', `/erasures/${body.receipt_id}`)).body, { pending: true })
  const [entry = ''] = (await app.redis.xrevrange('erasures', '+', '-', 'COUNT', 1))[0] ?? []
  await app.redis.set('erasures:cursor:agent', entry)
  t.match((await ann.send('GET', `/erasures/${body.receipt_id}`)).body, { pending: false, waiting_for: [] })
  t.equal((await bob.send('GET', `/erasures/${body.receipt_id}`)).status, 404)
  await app.redis.del('erasures:cursor:agent')
})

t.test('every format is taken by its content; what cannot be read fails with its reason and is never ready', async t => {
  const files = {
    'a.md': '# Mill\n\nThe mill grinds 40 tonnes of barley.\n',
    'b.html': '<html><body><p>The ferry leaves at 07:40.</p></body></html>',
    'c.pdf': pdf(['The kiln cools for eighteen hours.']),
    'd.docx': docx(['The lamp was replaced in 1987.']),
    'scan.pdf': pdf(['']),
    'cut.docx': docx(['cut']).subarray(0, 300),
    'noise.bin': Buffer.from('00ff01fe02fd03fc04fb05fa06f907f8', 'hex'),
  }
  const { status, body } = await ann.upload(files)
  t.equal(status, 202)
  const jobs = await Promise.all(body.documents.map(({ job_id }: { job_id: string }) => ann.ended(job_id)))
  t.same(
    jobs.map(({ state, failure }) => failure?.code ?? state),
    ['ready', 'ready', 'ready', 'ready', 'no_text', 'damaged', 'unsupported_type'],
  )
  const listed = await ann.send('GET', '/documents?state=failed')
  t.same(listed.body.documents.map(({ title }: { title: string }) => title).toSorted(), ['cut.docx', 'noise.bin', 'scan.pdf'])
  t.match(listed.body.documents, [{ version: null, passages: 0 }, { version: null }, { version: null }])
  const scan = body.documents[4]
  t.match(await ann.send('GET', `/documents/${scan.id}/text`), { status: 409, body: { code: 'conflict' } })
  t.match(await ann.send('POST', `/documents/${scan.id}/retry`), { status: 202, body: { id: scan.id, state: 'queued' } })
})

t.test('a text can be sent as JSON; without a source it stands beside others of its name', async t => {
  const send = (text: string, more = {}) => ann.send('POST', '/documents', { title: 'note', text, ...more })
  const one = await send('A note about herons.')
  const two = await send('Another note, about storks.')
  t.match([one.status, two.status], [202, 202])
  t.not(one.body.documents[0].id, two.body.documents[0].id)
  const first = await send('Version one of the page.', { source: 'https://example.org/p', metadata: { lang: 'en', year: 2020 } })
  const second = await send('Version two of the page.', { source: 'https://example.org/p', metadata: { lang: 'en', year: 2021 } })
  t.equal(first.body.documents[0].id, second.body.documents[0].id)
  await ann.ended(second.body.documents[0].job_id)
  t.match((await ann.send('GET', `/documents/${first.body.documents[0].id}`)).body, {
    source: 'https://example.org/p',
    metadata: { year: 2021 },
  })
})

t.test('what is wrong with a request is said, and nothing is stored', async t => {
  const before = (await ann.send('GET', '/documents?limit=200')).body.documents.length
  const form = { 'content-type': 'multipart/form-data; boundary=b' }
  const part = 'Content-Disposition: form-data; name="file"; filename="a.txt"'
  const wrong: [number, string, () => Promise<{ status: number; body: { code: string } }>][] = [
    [400, 'invalid_request', () => ann.send('POST', '/documents', '{"title":', { 'content-type': 'application/json' })],
    [400, 'invalid_request', () => ann.send('POST', '/documents', { title: 'a', text: 'b', colour: 'red' })],
    [400, 'invalid_request', () => ann.send('POST', '/documents', { title: 'a', text: 7 })],
    [400, 'invalid_request', () => ann.send('POST', '/documents', { title: '', text: 'b' })],
    [400, 'invalid_request', () => ann.send('POST', '/documents', { title: 'a\0', text: 'b' })],
    [
      400,
      'invalid_request',
      () => ann.send('POST', '/documents', '{"title":"a","text":"\\ud800"}', { 'content-type': 'application/json' }),
    ],
    [413, 'too_large', () => ann.send('POST', '/documents', { title: 'a', text: 'x'.repeat(9_000_000) })],
    [415, 'unsupported_type', () => ann.send('POST', '/documents', 'text', { 'content-type': 'text/plain' })],
    [422, 'no_text', () => ann.upload({ 'empty.txt': '' })],
    [400, 'invalid_request', () => ann.upload({})],
    [400, 'invalid_request', () => ann.upload({ 'a.txt': 'a' }, { colour: 'red' })],
    [400, 'invalid_request', () => ann.upload({ 'a.txt': 'a' }, { on_same_name: 'maybe' })],
    [400, 'invalid_request', () => ann.upload({ 'a.txt': 'a' }, { metadata: '{"a":' })],
    [400, 'invalid_request', () => ann.upload({ 'a.txt': 'a' }, { metadata: '[1]' })],
    [404, 'not_found', () => ann.upload({ 'a.txt': 'a' }, { collection_id: 'nothing' })],
    [400, 'invalid_request', () => ann.upload({ 'a.txt': 'a' }, {}, { 'idempotency-key': 'a b' })],
    [400, 'invalid_request', () => ann.send('POST', '/documents', 'no form at all', form)],
    [400, 'invalid_request', () => ann.send('POST', '/documents', `--b\r\n${part}\r\n\r\nbroken off`, form)],
    [400, 'invalid_request', () => ann.send('POST', '/documents', `--b\r\n${part}`, form)],
    [
      400,
      'invalid_request',
      () => ann.send('POST', '/documents', '--b\r\nContent-Disposition: form-data; name="__proto__"\r\n\r\nx\r\n--b--\r\n', form),
    ],
  ]
  for (const [at, [status, code, send]] of wrong.entries()) {
    const reply = await send()
    t.match(reply, { status, body: { code } }, `${at}: ${JSON.stringify(reply.body)}`)
  }
  t.equal((await ann.send('GET', '/documents?limit=200')).body.documents.length, before)
  t.same(
    (await readdir(join(dataDir, 'tmp'))).filter(name => name.startsWith('in-')),
    [],
  )
})

t.test('the list is paged, newest first, and filtered', async t => {
  const cy = await person('cyril')
  for (const name of ['1.txt', '2.txt', '3.txt']) await cy.has(name, `Text ${name}`)
  const titles = (reply: { body: { documents: { title: string }[] } }) => reply.body.documents.map(({ title }) => title)
  const page = await cy.send('GET', '/documents?limit=2')
  t.same(titles(page), ['3.txt', '2.txt'])
  t.equal((await cy.send('GET', '/documents?cursor=junk')).status, 400, 'a place no page ended at')
  const rest = await cy.send('GET', `/documents?limit=2&cursor=${page.body.next_cursor}`)
  t.same(titles(rest), ['1.txt'])
  t.equal(rest.body.next_cursor, null)
  t.same(titles(await cy.send('GET', '/documents?name=2.txt')), ['2.txt'])
  t.same(titles(await cy.send('GET', '/documents?state=failed')), [])
  t.equal((await cy.send('GET', '/documents?state=odd')).status, 400)
  t.equal((await cy.send('GET', '/documents?limit=0')).status, 400)
})

t.test('the original comes back as it was, as a download that no browser runs', async t => {
  const html = '<html><body><script>alert(1)</script><p>Harmless words about otters.</p></body></html>'
  const { id } = await ann.has('../../x ü.html', html)
  const reply = await ann.send('GET', `/documents/${id}/content`)
  t.equal(reply.text, html)
  t.match(reply.headers, {
    'content-disposition': `attachment; filename="__.._x u_.html"; filename*=UTF-8''__.._x%20%C3%BC.html`,
    'x-content-type-options': 'nosniff',
    'content-security-policy': /sandbox/,
    'content-type': 'text/html',
    'content-length': `${html.length}`,
  })
  t.equal((await ann.send('GET', `/documents/${id}`)).body.title, '../../x ü.html')
})

t.test('conditions on a text: ranges, tags, and a version that is gone', async t => {
  const { id, version } = await ann.has('versions.txt', 'The first text.')
  const path = `/documents/${id}/text`
  const get = (headers: Record<string, string>, query = '') => ann.send('GET', path + query, undefined, headers)
  t.match(await get({}), {
    status: 200,
    text: 'The first text.',
    headers: { etag: `"${version}"`, 'accept-ranges': 'bytes', 'content-type': 'text/plain; charset=utf-8' },
  })
  t.match(await get({ range: 'bytes=4-8' }), {
    status: 206,
    text: 'first',
    headers: { 'content-range': 'bytes 4-8/15', 'content-length': '5' },
  })
  t.match(await get({ range: 'bytes=99-' }), {
    status: 416,
    body: { code: 'range_not_satisfiable' },
    headers: { 'content-range': 'bytes */15' },
  })
  t.match(await get({ 'if-match': '"other"' }), { status: 412, body: { code: 'precondition_failed' } })
  t.match(await get({ 'if-none-match': `"${version}"` }), { status: 304, text: '' })
  t.match(await ann.send('HEAD', path, undefined, { range: 'bytes=4-8' }), {
    status: 200,
    text: '',
    headers: { 'content-length': '15' },
  })
  t.match(await ann.send('HEAD', path, undefined, { 'if-none-match': `"${version}"` }), { status: 304 })
  for (const text of ['The second text.', 'The third text.', 'The fourth text.']) await ann.has('versions.txt', text)
  t.match(await get({}), { text: 'The fourth text.' })
  t.match(await get({}, `?version=${version}`), { status: 410, body: { code: 'gone' } })
  t.match(await get({}, `?version=${'0'.repeat(64)}`), { status: 404 })
  t.match((await ann.send('GET', `/documents/${id}`)).body.versions.length, 3)
})

t.test('Redis away: 503, nothing is erased, and it goes on when Redis is back', async t => {
  const { id } = await ann.has('stays.txt', 'This text stays.')
  await redis.stop()
  t.match(await ann.send('DELETE', `/documents/${id}`), { status: 503, body: { code: 'unavailable' } })
  t.match((await app.inject('/ready')).json(), { code: 'unavailable', details: [{ path: 'redis' }] })
  t.equal((await app.inject('/health')).statusCode, 200)
  await redis.start()
  while ((await app.inject('/ready')).statusCode !== 200) await new Promise(setImmediate)
  t.equal((await ann.send('GET', `/documents/${id}`)).status, 200)
})
