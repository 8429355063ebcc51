// Twin of src/rag/config.ts: the limits on what comes in, and their relation to the edge's.
import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import t from 'tap'
import { FORM_BYTES_MAX, ragConfig, UPLOAD_BYTES_LIMIT } from '../../src/rag/config.ts'
import { environment } from '../support/services.ts'

const env = environment({ url: 'redis://127.0.0.1:1', port: 1, dir: '', stop: async () => {}, start: async () => {} })

t.test('the edge lets through every upload that rag may be set to take, and nothing that it never takes', async t => {
  const edge = readFileSync(join(import.meta.dirname, '../../envoy/envoy.yaml'), 'utf8')
  const refusedFrom = Number(/&above_upload .*start: (\d+)/.exec(edge)?.[1])
  t.equal(refusedFrom, UPLOAD_BYTES_LIMIT + FORM_BYTES_MAX + 1)
})

t.test('an upload limit beyond what the edge lets through stops the start with a sentence', async t => {
  t.equal(ragConfig(env).UPLOAD_BYTES_MAX, UPLOAD_BYTES_LIMIT)
  t.equal(ragConfig({ ...env, UPLOAD_BYTES_MAX: '1000' }).UPLOAD_BYTES_MAX, 1000)
  t.throws(() => ragConfig({ ...env, UPLOAD_BYTES_MAX: `${UPLOAD_BYTES_LIMIT + 1}` }), { message: /UPLOAD_BYTES_MAX/ })
})
