import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import t from 'tap'
import { serviceConfigs } from '../../deploy/services.ts'

/** Read by the stack itself, with the values it uses when they are not set; no service knows them. */
const stackOnly = {
  REDIS_PASSWORD: '',
  GATEWAY_HOST: '127.0.0.1',
  GATEWAY_PORT: '5000',
  GATEWAY_TLS_HOST: '127.0.0.1',
  GATEWAY_TLS_PORT: '5443',
  TLS_CERTIFICATE: '',
  TLS_KEY: '',
  TRUSTED_HOPS: '0',
  GATEWAY_ADMIN_PORT: '5005',
  HF_ENDPOINT: 'https://huggingface.co',
}

t.test('env.example lists every variable once, with the value that holds when it is not set', async t => {
  const text = readFileSync(join(import.meta.dirname, '../../deploy/env.example'), 'utf8')
  const listed = [...text.matchAll(/^#([A-Z0-9_]+)=(.*)$/gm)].map(([, name = '', value = '']) => [name, value] as const)
  t.equal(new Set(listed.map(([name]) => name)).size, listed.length, 'no name stands twice')

  const known: Record<string, string> = { ...stackOnly }
  for (const { properties } of Object.values(serviceConfigs)) {
    for (const [name, schema] of Object.entries(properties)) known[name] = 'default' in schema ? String(schema.default) : ''
  }
  t.same(Object.fromEntries(listed), known)
})
