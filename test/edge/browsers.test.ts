// Pages of other origins, which only those that are configured may let read; the real services answer, behind the real edge.
import t from 'tap'
import { startServices } from './services.ts'

const ours = 'https://app.example'
/** Everything that only resembles ours, and what browsers send for files, sandboxes and nothing at all. */
const hostile =
  `https://evil.example http://app.example https://app.example.evil.example https://evilapp.example https://app.example:8443
  https://app.example.:443 https://APP.example.org https://app-example https://xn--app-example https://app.example@evil.example
  https://app.example/ https://app.example, https://sub.app.example ftp://app.example null file:// * https://* http://127.0.0.1:5000
  chrome-extension://abcdefgh`.split(/\s+/)

const preflight = (origin: string) => ({
  origin,
  'access-control-request-method': 'POST',
  'access-control-request-headers': 'authorization,content-type',
})
const paths = ['/auth/login', '/auth/me', '/agent/query', '/rag/search', '/v1/chat/completions', '/health']

t.test('by default no origin is told that it may read', async t => {
  const house = await startServices(t)
  for (const origin of [ours, ...hostile]) {
    for (const path of paths) {
      for (const reply of [
        await house.ask(path, { headers: { origin } }),
        await house.ask(path, { method: 'OPTIONS', headers: preflight(origin) }),
      ]) {
        const said = Object.keys(reply.headers).filter(name => /^access-control-allow-origin$/.test(name))
        t.strictSame(said, [], `${origin} ${path}`)
      }
    }
  }
})

t.test('a configured origin may, with preflight and with the token it then sends; the others still may not', async t => {
  const house = await startServices(t, { CORS_ORIGINS: ours })
  t.equal(hostile.length, 20)
  const { headers } = await house.person('ada')
  for (const path of ['/auth/me', '/agent/status', '/rag/status', '/v1/models']) {
    const asked = await house.ask(path, { method: 'OPTIONS', headers: preflight(ours) })
    t.match(asked, {
      status: 204,
      headers: {
        'access-control-allow-origin': ours,
        'access-control-allow-methods': /\bPATCH\b/,
        'access-control-allow-headers': /authorization/i,
        vary: /origin/i,
      },
    })
    t.match(await house.ask(path, { headers: { ...headers, origin: ours } }), {
      status: 200,
      headers: { 'access-control-allow-origin': ours, 'access-control-expose-headers': /x-request-id/i, vary: /origin/i },
    })
    t.notOk('access-control-allow-credentials' in asked.headers, 'no cookie is ever wanted')
    for (const origin of hostile) {
      const replies = [
        await house.ask(path, { headers: { ...headers, origin } }),
        await house.ask(path, { method: 'OPTIONS', headers: preflight(origin) }),
      ]
      for (const reply of replies) t.notOk('access-control-allow-origin' in reply.headers, `${origin} ${path}`)
    }
  }
})
