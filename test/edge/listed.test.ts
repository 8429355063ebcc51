// The edge's list of paths against the real services': a route that a service adds and the edge does not know is found here.
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { setTimeout as pause } from 'node:timers/promises'
import t from 'tap'
import { startStack } from '../../deploy/stack.ts'
import { person, send } from '../support/client.ts'

const password = 'correct horse battery'
/** Envoy writes its access log every 10 s. */
const LOG_MS_MAX = 20_000

const dir = await mkdtemp(join(tmpdir(), 'listed-'))
t.teardown(() => rm(dir, { recursive: true, force: true }))
const stack = await startStack({
  dir,
  env: { ADMIN_USERNAME: 'root', ADMIN_PASSWORD: password, LIMIT_CALLER_PER_MIN: '0', LIMIT_ADDRESS_PER_MIN: '0' },
})
t.teardown(() => stack.stop())
const admin = await person(stack.url, 'root', password)

interface Line {
  request_id: string
  route: string
}

/** The access log's lines for these requests. */
async function linesOf(ids: string[]): Promise<Line[]> {
  const late = Date.now() + LOG_MS_MAX
  while (Date.now() < late) {
    const lines = (await stack.logs('envoy')).split('\n').filter(line => line.startsWith('{') && line.endsWith('}'))
    const found = lines.map(line => JSON.parse(line) as Line).filter(({ request_id }) => ids.includes(request_id))
    if (found.length >= ids.length) return found
    await pause(100)
  }
  throw new Error(`The access log does not hold all of ${ids.length} requests`)
}

t.test('every route a service declares is listed at the edge, in both spellings', async t => {
  const { status, body } = await admin.send('GET', '/api/services')
  t.equal(status, 200)
  const declared = (body.services as { endpoint: string; method: string }[]).filter(
    ({ endpoint }) => !/^\/\w+\/metrics$/.test(endpoint),
  )
  t.ok(declared.length > 50, `${declared.length} routes`)

  const asked = new Map<string, string>()
  for (const { endpoint, method } of declared) {
    const path = endpoint.replace(/\{\w+\}|:\w+/g, 'x')
    const older = /^\/(auth|agent|rag)\//.test(path) ? [`/api${path}`] : []
    for (const spelled of [path, ...older]) {
      // A preflight reaches the route and changes nothing behind it.
      const preflight = { origin: 'http://app.example', 'access-control-request-method': method }
      const { headers } = await send(stack.url, 'OPTIONS', spelled, undefined, preflight)
      asked.set(String(headers.get('x-request-id')), `${method} ${spelled}`)
    }
  }
  const lines = await linesOf([...asked.keys()])
  const unlisted = lines.filter(({ route }) => route === 'unlisted').map(({ request_id }) => asked.get(request_id))
  t.strictSame(unlisted, [])
})

t.test('the page of all three OpenAPI documents opens, with everything it asks for', async t => {
  const page = await send(stack.url, 'GET', '/docs')
  t.match(page.headers.get('content-type'), 'text/html')
  const parts = [...page.text.matchAll(/(?:src|href)="([^"]+)"/g)].map(
    ([, part]) => new URL(String(part), `${stack.url}/docs/`).pathname,
  )
  t.ok(parts.length > 3)
  for (const part of [...parts, '/auth/openapi.json', '/agent/openapi.json', '/rag/openapi.json']) {
    t.equal((await send(stack.url, 'GET', part)).status, 200, part)
  }
})
