// How large a body may be: refused by its declared length before a byte of it reaches a service; undeclared ones are the service's.
import t from 'tap'
import { startEdge } from './edge.ts'
import { isFailure } from './refusals.ts'

const edge = await startEdge(t)

const KIB = 1024
const MIB = 1024 * KIB
/** 500 MB of files and a form of 1 MiB around them, as rag counts. */
const UPLOAD_BYTES_MAX = 500_000_000 + MIB

t.test('a body of the largest size passes whole, one byte more is 413 and no service hears of it', async t => {
  for (const [path, bytesMax] of [
    ['/auth/login', 64 * KIB],
    ['/api/auth/me/password', 64 * KIB],
    ['/agent/query', MIB],
    ['/v1/chat/completions', MIB],
    ['/mcp', MIB],
    ['/rag/search', MIB],
    ['/rag/documents/d1', MIB],
  ] as const) {
    edge.heard()
    t.equal((await edge.askAs('user', path, { method: 'POST', body: Buffer.alloc(bytesMax) })).status, 200, path)
    t.equal(edge.heard()[0]?.body.length, bytesMax, path)
    isFailure(t, await edge.askAs('user', path, { method: 'POST', body: Buffer.alloc(bytesMax + 1) }), 'too_large', path)
    t.strictSame(edge.heard(), [], path)
  }
})

t.test('a refusal is read by a client that is still sending', async t => {
  isFailure(t, await edge.askAs('user', '/rag/search', { method: 'POST', body: Buffer.alloc(40 * MIB) }), 'too_large')
})

t.test('an upload is larger by far, and its length is bounded too', async t => {
  for (const path of ['/rag/documents', '/api/rag/documents']) {
    edge.heard()
    t.equal((await edge.askAs('user', path, { method: 'POST', body: Buffer.alloc(40 * MIB) })).status, 200, path)
    t.equal(edge.heard()[0]?.body.length, 40 * MIB, path)
    const headers = { 'content-length': UPLOAD_BYTES_MAX + 1 }
    isFailure(t, await edge.askAs('user', path, { method: 'POST', headers, body: 'x' }), 'too_large', path)
    t.strictSame(edge.heard(), [], path)
  }
  isFailure(
    t,
    await edge.askAs('user', '/rag/documents', { method: 'PUT', body: Buffer.alloc(MIB + 1) }),
    'too_large',
    'only a POST uploads',
  )
})

t.test('a body without a declared length streams to the service, which counts', async t => {
  edge.heard()
  const headers = { 'transfer-encoding': 'chunked', 'content-length': [] }
  t.equal((await edge.askAs('user', '/rag/search', { method: 'POST', headers, body: Buffer.alloc(2 * MIB) })).status, 200)
  t.equal(edge.heard()[0]?.body.length, 2 * MIB)
})
