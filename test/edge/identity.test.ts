// The edge's look at the token: what it lets through, what it refuses, and that it refuses everything in the same words.
import { generateKeyPair, SignJWT, UnsecuredJWT } from 'jose'
import t from 'tap'
import { API_KEY, startEdge } from './edge.ts'
import { isFailure } from './refusals.ts'

const edge = await startEdge(t)
const now = () => Math.floor(Date.now() / 1000)
const claims = { iss: 'agent-backend', aud: 'agent-backend', sub: 'a', role: 'admin', iat: now(), exp: now() + 900 }

/** One path behind each kind of route that wants a credential. */
const closed =
  `/auth/me /auth/users /auth/audit/head /api/config /api/services /agent/query /agent/runs/r/events /v1/models /mcp /rag/search
  /rag/documents /rag/documents/d/text /rag/jobs/j/events /rag/admin/index /v1/embeddings /api/rag/collections`.split(/\s+/)

t.test('a valid token passes, and the service gets it to verify again', async t => {
  for (const scheme of ['Bearer', 'bearer']) {
    edge.heard()
    const authorization = `${scheme} ${await edge.token()}`
    t.equal((await edge.ask('/rag/status', { headers: { authorization } })).status, 200)
    t.equal(Object.fromEntries(edge.heard()[0]?.headers ?? []).authorization, authorization)
  }
})

t.test('every token that does not verify is 401, whatever is wrong with it, and no service hears of it', async t => {
  const stranger = await generateKeyPair('EdDSA', { crv: 'Ed25519' })
  const rsa = await generateKeyPair('RS256')
  const published = Buffer.from(String(edge.auth.keys[0]?.x), 'base64url')
  const sign = (alg: string, key: CryptoKey | Uint8Array) => new SignJWT(claims).setProtectedHeader({ alg, kid: 'k1' }).sign(key)
  const good = await edge.token()
  const [head, payload, signature] = good.split('.')
  const forged = Buffer.from(JSON.stringify({ ...claims, sub: 'someone else' })).toString('base64url')
  const bad: Record<string, string | undefined> = {
    none: undefined,
    'another issuer': `Bearer ${await edge.token({ iss: 'x' })}`,
    'no issuer': `Bearer ${await edge.token({ iss: undefined })}`,
    'another audience': `Bearer ${await edge.token({ aud: 'x' })}`,
    'no audience': `Bearer ${await edge.token({ aud: undefined })}`,
    'no expiry': `Bearer ${await edge.token({ exp: undefined })}`,
    'not yet valid': `Bearer ${await edge.token({ nbf: now() + 600 })}`,
    'alg none': `Bearer ${new UnsecuredJWT(claims).encode()}`,
    'HS256 with the public key as its secret': `Bearer ${await sign('HS256', new Uint8Array(published))}`,
    RS256: `Bearer ${await sign('RS256', rsa.privateKey)}`,
    'another key under our kid': `Bearer ${await sign('EdDSA', stranger.privateKey)}`,
    'another payload under our signature': `Bearer ${head}.${forged}.${signature}`,
    'no signature': `Bearer ${head}.${payload}.`,
    'half a token': `Bearer ${head}.${payload}`,
    'not a token': 'Bearer x',
    'nothing after the scheme': 'Bearer',
    'another scheme': `Basic ${good}`,
    'the token alone': good,
  }
  edge.heard()
  for (const [name, authorization] of Object.entries(bad)) {
    for (const path of name === 'none' ? closed : ['/auth/me', '/auth/users']) {
      const reply = await edge.ask(path, { headers: authorization === undefined ? {} : { authorization } })
      isFailure(t, reply, 'unauthenticated', `${name}: ${path}`)
      t.equal(reply.headers['www-authenticate'], 'Bearer', `${name}: says how to sign in and no more`)
    }
  }
  isFailure(
    t,
    await edge.ask('/auth/me', { headers: { authorization: `Bearer ${await edge.token({ exp: now() - 2 })}` } }),
    'token_expired',
  )
  t.strictSame(edge.heard(), [])
})

t.test('a token anywhere but in the Authorization header is no token', async t => {
  const token = await edge.token()
  edge.heard()
  isFailure(t, await edge.ask(`/auth/me?access_token=${token}`), 'unauthenticated', 'in the query')
  isFailure(t, await edge.ask(`/auth/me?authorization=Bearer%20${token}`), 'unauthenticated', 'in the query')
  for (const name of [
    'cookie',
    'x-api-key',
    'x-authorization',
    'proxy-authorization',
    'x-goog-iap-jwt-assertion',
    'x-jwt-assertion',
  ]) {
    isFailure(t, await edge.ask('/auth/me', { headers: { [name]: `Bearer ${token}` } }), 'unauthenticated', name)
  }
  t.strictSame(edge.heard(), [])
})

t.test('an API key passes to the service that can judge it, on every closed path', async t => {
  for (const path of closed) {
    edge.heard()
    t.equal((await edge.ask(path, { headers: { authorization: `Bearer ${API_KEY}` } })).status, 200, path)
    t.equal(Object.fromEntries(edge.heard()[0]?.headers ?? []).authorization, `Bearer ${API_KEY}`, path)
  }
})

t.test('what only looks like an API key does not pass', async t => {
  edge.heard()
  const bad = [
    'ak_',
    'ak_x',
    API_KEY.slice(0, -1),
    `${API_KEY}x`,
    `x${API_KEY}`,
    `${API_KEY} x`,
    `${API_KEY},Bearer x`,
    API_KEY.toUpperCase(),
    `ak_ ${API_KEY}`,
  ]
  for (const key of bad)
    isFailure(t, await edge.ask('/rag/search', { headers: { authorization: `Bearer ${key}` } }), 'unauthenticated', key)
  isFailure(t, await edge.ask(`/rag/search?api_key=${API_KEY}`), 'unauthenticated', 'in the query')
  isFailure(
    t,
    await edge.ask('/rag/search', { headers: { authorization: ['Bearer x', `Bearer ${API_KEY}`] } }),
    'unauthenticated',
    'as the second of two',
  )
  isFailure(
    t,
    await edge.ask('/rag/search', { headers: { authorization: [`Bearer ${API_KEY}`, 'Bearer x'] } }),
    'unauthenticated',
    'as the first of two',
  )
  t.strictSame(edge.heard(), [])
})

t.test('admin paths want the role in the token already at the edge', async t => {
  const paths =
    `/auth/users /auth/users/u /auth/invites /auth/audit /auth/audit/verify /auth/audit/head /api/auth/users /api/config /api/services
    /rag/admin/reindex /rag/admin/snapshot /rag/admin/index /api/rag/admin/index`.split(/\s+/)
  edge.heard()
  for (const path of paths) {
    for (const role of ['user', 'guest', 'service_account', 'Admin', 'admin ', ''])
      isFailure(t, await edge.askAs(role, path), 'forbidden', `${role} ${path}`)
    const listed = `Bearer ${await edge.token({ role: ['admin'] })}`
    isFailure(t, await edge.ask(path, { headers: { authorization: listed } }), 'forbidden', `a list of roles ${path}`)
  }
  t.strictSame(edge.heard(), [])
  for (const path of paths) t.equal((await edge.askAs('admin', path)).status, 200, path)
})

t.test('a preflight passes without a token, and only a preflight', async t => {
  for (const path of [...closed, '/auth/login']) {
    edge.heard()
    const preflight = { origin: 'http://app.example', 'access-control-request-method': 'POST' }
    t.equal((await edge.ask(path, { method: 'OPTIONS', headers: preflight })).status, 200, path)
    t.strictSame(
      edge.heard().map(({ method }) => method),
      ['OPTIONS'],
      path,
    )
  }
  edge.heard()
  for (const path of closed) {
    isFailure(t, await edge.ask(path, { method: 'OPTIONS', headers: { origin: 'http://app.example' } }), 'unauthenticated', path)
    const disguised = { origin: 'http://app.example', 'access-control-request-method': 'POST' }
    isFailure(t, await edge.ask(path, { method: 'POST', headers: disguised }), 'unauthenticated', path)
  }
  t.strictSame(edge.heard(), [])
})

t.test('the keys are read ahead, once, not for each request', async t => {
  await Promise.all(Array.from({ length: 20 }, async () => edge.askAs('user', '/auth/me')))
  t.equal(edge.auth.keysRead, 2, 'once for each door')
})
