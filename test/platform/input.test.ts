import { gzipSync } from 'node:zlib'
import t, { type Test } from 'tap'
import { failures } from '../../src/contracts/failure.ts'
import { house } from '../auth/house.ts'
import { password } from '../support/services.ts'

const { app, admin } = await house(t)

/** Every route of auth that takes a body, with one that is right in shape. */
const routes: { method: 'POST' | 'PUT' | 'PATCH'; url: string; body: Record<string, unknown> }[] = [
  { method: 'POST', url: '/register', body: { username: 'never-made', password } },
  { method: 'POST', url: '/login', body: { username: 'root', password: 'not the right one' } },
  { method: 'POST', url: '/refresh', body: { refresh_token: 'x' } },
  { method: 'PUT', url: '/me/password', body: { current_password: 'not the right one', new_password: 'another password' } },
  { method: 'POST', url: '/api-keys', body: { name: 'k', permissions: ['read:system'], expires_in_days: 1 } },
  { method: 'PATCH', url: `/users/${'0'.repeat(32)}`, body: { role: 'guest' } },
]

t.test('the list of routes with a body is whole', async t => {
  const { paths } = (await app.inject('/openapi.json')).json() as {
    paths: Record<string, Record<string, { requestBody?: unknown }>>
  }
  const taking = Object.entries(paths).flatMap(([path, methods]) =>
    Object.entries(methods)
      .filter(([, { requestBody }]) => requestBody)
      .map(([method]) => `${method.toUpperCase()} ${path}`),
  )
  const listed = routes.map(({ method, url }) => `${method} ${url.replace(/0{32}/, '{id}')}`)
  t.same(taking.toSorted(), listed.toSorted())
})

/** What is stored, but for what counts and records requests. */
const stored = async () => (await app.redis.keys('*')).filter(key => !/^(limit:|login:|audit:|\{audit\})/.test(key)).toSorted()

interface Sent {
  payload?: string | Buffer
  type?: string
  headers?: Record<string, string>
}

async function send({ method, url }: (typeof routes)[number], { payload, type = 'application/json', headers }: Sent) {
  const reply = await app.inject({ method, url, payload, headers: { ...admin.headers, 'content-type': type, ...headers } })
  return { status: reply.statusCode, text: reply.body, type: reply.headers['content-type'] }
}

/** Checks that a refusal is the status expected and the one body, and that it shows nothing of what was sent or of this machine. */
function refused(t: Test, reply: Awaited<ReturnType<typeof send>>, status: number, name: string) {
  const { code, message, error, request_id } = reply.status >= 400 ? JSON.parse(reply.text) : {}
  const whole = reply.type === 'application/json; charset=utf-8' && code in failures && message === error && request_id
  const telling = /node_modules|\.ts:|at \w+ \(|\/work\/|SyntaxError|Unexpected token|position \d/.test(reply.text)
  t.ok(reply.status === status && whole && !telling, `${name}: ${reply.status} ${reply.text.slice(0, 160)}`)
}

const bodies = (body: Record<string, unknown>): [string, number, Sent][] => {
  const text = JSON.stringify(body)
  const [first = ''] = Object.keys(body)
  return [
    ['no body', 400, {}],
    ['an empty body', 400, { payload: '' }],
    ['broken JSON', 400, { payload: text.slice(0, -1) }],
    ['JSON and more', 400, { payload: `${text}x` }],
    ['not JSON at all', 400, { payload: 'username=a&password=b' }],
    ['single quotes', 400, { payload: text.replaceAll('"', "'") }],
    ['a comma too many', 400, { payload: text.replace(/}$/, ',}') }],
    ['null', 400, { payload: 'null' }],
    ['an array', 400, { payload: `[${text}]` }],
    ['a string', 400, { payload: JSON.stringify(text) }],
    ['a number', 400, { payload: '1' }],
    ['nothing in it', 400, { payload: '{}' }],
    ['an unknown field', 400, { payload: JSON.stringify({ ...body, is_admin: true }) }],
    ['a prototype', 400, { payload: text.replace(/}$/, ',"__proto__":{"role":"admin"}}') }],
    ['a constructor', 400, { payload: text.replace(/}$/, ',"constructor":{"prototype":{"role":"admin"}}}') }],
    [
      'bytes that are not UTF-8',
      400,
      { payload: Buffer.concat([Buffer.from(text.slice(0, -2)), Buffer.from([0xff, 0xfe]), Buffer.from('"}')]) },
    ],
    ['UTF-16', 400, { payload: Buffer.from(text, 'utf16le') }],
    ['very deep', 400, { payload: `${'{"a":'.repeat(10_000)}1${'}'.repeat(10_000)}` }],
    ['64 KiB and more', 413, { payload: JSON.stringify({ ...body, [first]: 'x'.repeat(64 * 1024) }) }],
    ['compressed', 400, { payload: gzipSync(text), headers: { 'content-encoding': 'gzip' } }],
    ['text', 415, { payload: text, type: 'text/plain' }],
    ['a form', 415, { payload: 'a=b', type: 'application/x-www-form-urlencoded' }],
    ['several parts', 415, { payload: '--x--', type: 'multipart/form-data; boundary=x' }],
    ['XML', 415, { payload: '<a/>', type: 'application/xml' }],
    ['no media type', 415, { payload: text, type: 'nonsense' }],
    ['something like JSON', 415, { payload: text, type: 'application/jsonx' }],
  ]
}

for (const route of routes) {
  t.test(
    `${route.method} ${route.url}: whatever is wrong with the body, the answer says so in one way and nothing is stored`,
    async t => {
      const before = await stored()
      for (const [name, status, sent] of bodies(route.body)) refused(t, await send(route, sent), status, name)
      for (const field of Object.keys(route.body)) {
        const with_ = (value: unknown) => send(route, { payload: JSON.stringify({ ...route.body, [field]: value }) })
        for (const value of [null, 1, true, [], {}, ['x'], '', 'x'.repeat(600)])
          if (typeof value !== typeof route.body[field] || value === '' || String(value).length > 500)
            refused(t, await with_(value), 400, `${field}: ${JSON.stringify(value).slice(0, 20)}`)
        const text = JSON.stringify({ ...route.body, [field]: '@' })
        for (const hidden of ['\\u0000', 'ab\\u0000cdefgh', '\\ud800', 'abcdefgh\\udfff', '\\udfff\\ud800'])
          refused(t, await send(route, { payload: text.replace('"@"', `"${hidden}"`) }), 400, `${field}: ${hidden}`)
        refused(
          t,
          await send(route, { payload: text.replace(`"${field}"`, `"${field}\\u0000"`) }),
          400,
          `${field}: a NUL in its name`,
        )
      }
      t.same(await stored(), before)
    },
  )
}

t.test('what stands in the address is held to its shape too', async t => {
  const paths = [
    '/users?limit=0',
    '/users?limit=201',
    '/users?limit=x',
    '/users?limit=1.5',
    '/users?limit=1e1',
    '/users?limit=%201',
    '/users?limit=true',
    '/users?limit=',
    '/users?limit=1&limit=2',
    '/users?cursor=x',
    '/users?cursor=%00',
    '/users?unknown=1',
    '/users/x',
    `/users/${'0'.repeat(31)}`,
    `/users/${'0'.repeat(33)}`,
    `/users/${'A'.repeat(32)}`,
    `/users/${'0'.repeat(31)}%00`,
    '/users/%ff',
    '/audit?since=yesterday',
    '/audit?outcome=maybe',
    '/audit?cursor=1',
    '/audit?limit=1000000',
  ]
  for (const url of paths) {
    const reply = await app.inject({ url, headers: admin.headers })
    refused(t, { status: reply.statusCode, text: reply.body, type: reply.headers['content-type'] }, 400, url)
  }
})

t.test('a route that wants no body ignores an absent, an empty and an empty JSON one', async t => {
  for (const [payload, type] of [
    [undefined, undefined],
    ['', 'application/json'],
    ['{}', 'application/json'],
  ] as const) {
    const headers = { ...admin.headers, ...(type && { 'content-type': type }) }
    t.equal((await app.inject({ method: 'POST', url: '/validate', payload, headers })).statusCode, 200, `${payload} ${type}`)
    t.equal((await app.inject({ method: 'POST', url: '/invites', payload, headers })).statusCode, 201)
  }
})

t.test('the process is as it was', async t => {
  t.equal((await app.inject({ url: '/me', headers: admin.headers })).statusCode, 200)
  t.equal((await app.inject('/ready')).statusCode, 200)
})
