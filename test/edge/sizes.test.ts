// How large a body may be, at the edge and at the real services behind it, with a declared length and without; nothing of what is too
// large is kept.
import t from 'tap'
import type { Asked, Reply } from './envoy.ts'
import { isFailure } from './refusals.ts'
import { startServices } from './services.ts'

const JSON_BYTES_MAX = 1024 * 1024
const FILE_BYTES_MAX = 100_000

const house = await startServices(t, { FILE_BYTES_MAX: String(FILE_BYTES_MAX) })
const { headers } = await house.person('ada')

/** A JSON body of so many bytes. */
const json = (bytes: number) => `{"user_request":"${'x'.repeat(bytes - 19)}"}`
/** A form with one file of so many bytes. */
const form = (bytes: number) =>
  `--b\r\ncontent-disposition: form-data; name="file"; filename="a.txt"\r\n\r\n${'a b '.repeat(bytes / 4 + 1).slice(0, bytes)}\r\n--b--\r\n`

/** Sends it through the edge and directly, with a length and without. */
async function everyWay(path: string, type: string, body: string, check: (reply: Reply, way: string) => void) {
  const [, service = 'agent', own = ''] = path.match(/^\/(\w+)(\/.*)$/) ?? []
  for (const [door, asked] of [
    ['edge', { path }],
    ['service', { path: own, port: house.ports[service as 'agent' | 'rag'] }],
  ] as const) {
    for (const chunked of [false, true]) {
      const options: Asked = { ...asked, method: 'POST', body }
      const sent = { ...headers, 'content-type': type, ...(chunked && { 'transfer-encoding': 'chunked', 'content-length': [] }) }
      check(await house.ask(asked.path, { ...options, headers: sent }), `${door}, ${chunked ? 'chunked' : 'with a length'}`)
    }
  }
}

t.test('a JSON body of the largest size is read, one byte more is 413 at both doors', async t => {
  await everyWay('/agent/query', 'application/json', json(JSON_BYTES_MAX), ({ status }, way) => t.equal(status, 400, way))
  await everyWay('/agent/query', 'application/json', json(JSON_BYTES_MAX + 1), (reply, way) =>
    isFailure(t, reply, 'too_large', way),
  )
})

t.test('a file of the largest size is taken, one byte more is 413 at both doors and leaves nothing', async t => {
  const type = 'multipart/form-data; boundary=b'
  await everyWay('/rag/documents', type, form(FILE_BYTES_MAX), ({ status, text }, way) =>
    t.match(status, /^20[02]$/, `${way} ${text}`),
  )
  const kept = async () => (await house.ask('/rag/documents', { headers })).json.documents as unknown[]
  const before = await kept()
  t.equal(before.length, 1)
  await everyWay('/rag/documents', type, form(FILE_BYTES_MAX + 1), ({ status, json }, way) =>
    t.match({ status, json }, { status: 413, json: { code: 'too_large' } }, way),
  )
  t.equal((await kept()).length, 1)
})
